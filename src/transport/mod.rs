//! The transport: connections are let in while there is room, must say quickly what they want, are served
//! within bounds, and are shown out when the service stops. It knows bytes and HTTP/2, and nothing of
//! what is called.

mod bucket;
pub mod call_timeout;
pub mod connection;
mod frames;
mod handshake;
pub mod resource_limits;
pub mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::connection::{Connection, http2};
use self::handshake::{Established, handshake};
use self::resource_limits::{ConnectionPermit, ResourceLimiter};
use crate::reload::Reloading;

/// How long to wait when the machine has no descriptor left.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// What stands at the transport.
#[derive(Clone)]
pub struct Transport {
    /// What there is room for.
    pub resource_limits: Arc<ResourceLimiter>,
    /// Certificates, if TLS is spoken.
    pub tls: Option<Reloading<ServerConfig>>,
    /// True from the moment on when nobody is let in any more and all_grants is asked to leave.
    pub closing: watch::Receiver<bool>,
}

impl Transport {
    /// Serves until it is closing and all_grants has left; who does not leave ends with this future.
    pub async fn serve<A, F, B>(self, listener: TcpListener, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut inside = JoinSet::new();
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                () = closes(&mut closing) => break,
                Some(_) = inside.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        // Who finds no room is refused at once instead of being left to wait.
                        if let Some(permit) = self.resource_limits.connection(from.ip()) {
                            inside.spawn(self.clone().receive(stream, from, permit, answer.clone()));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(NO_DESCRIPTOR).await;
                    }
                },
            }
        }
        drop(listener);
        while inside.join_next().await.is_some() {}
    }

    async fn receive<A, F, B>(mut self, stream: TcpStream, from: SocketAddr, permit: ConnectionPermit, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Without TCP_NODELAY small answers wait for the peer's delayed acknowledgement: 40 ms a call.
        let _ = stream.set_nodelay(true);
        self.tls = self.tls.map(Reloading::caught_up);
        let greeted = tokio::select! {
            greeted = handshake(stream, from, self.tls.as_ref()) => greeted,
            () = closes(&mut self.closing) => return,
        };
        let Established { stream, certificate } = match greeted {
            Ok(greeted) => greeted,
            Err(error) => return tracing::debug!(%from, %error, "a connection that did not handshake"),
        };
        let connection = Arc::new(Connection::new(permit, certificate));
        let of_calls = Arc::clone(&connection);
        let calls = service_fn(move |request| {
            let answered = answer(Arc::clone(&of_calls), request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let mut serving = pin!(http2().serve_connection(TokioIo::new(stream), calls));
        let (mut leaving, mut tls) = (false, self.tls.filter(|_| connection.certificate().is_some()));
        loop {
            tokio::select! {
                ended = serving.as_mut() => {
                    return if let Err(error) = ended { tracing::debug!(%from, %error, "a connection ended") };
                }
                () = connection.shut_out() => {
                    return tracing::warn!(%from, "a connection that gives up its calls is shut out");
                }
                () = closes(&mut self.closing), if !leaving => {}
                () = connection.expired(), if !leaving => {}
                // Whoever came in by a certificate shows it again when those who vouch for it change.
                () = changed(&mut tls), if !leaving => {}
            }
            leaving = true;
            serving.as_mut().graceful_shutdown();
        }
    }
}

/// Waits until the service stops.
pub async fn closes(closing: &mut watch::Receiver<bool>) {
    // Who could say it has gone: then it stops too.
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn changed(tls: &mut Option<Reloading<ServerConfig>>) {
    match tls {
        Some(tls) => tls.changed().await,
        None => std::future::pending().await,
    }
}
