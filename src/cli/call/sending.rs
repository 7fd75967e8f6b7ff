//! Sends a call until it is answered, given up or out of time, and prints what comes.

use std::time::Duration;

use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming, TimeoutExpired};

use super::codec::DynamicCodec;
use super::retry::{ATTEMPTS, Effect, is_outcome_unknown};
use super::{message, methods, refusal};
use crate::cli::CommandError;
use crate::cli::client::find;
use crate::cli::printable::printable;

/// How much longer than to the deadline this side waits: the server's own answer to a call that is late says more.
const GRACE: Duration = Duration::from_millis(200);

/// When a call must have been answered.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So much later than now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The time that is left.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// One method of one server.
pub struct Target<'t> {
    /// The connection, which is made anew when it breaks.
    pub channel: Channel,
    /// The rpc, with the types of its request and its answer.
    pub method: MethodDescriptor,
    /// What is sent with each attempt, such as the caller's token.
    pub metadata: &'t MetadataMap,
    /// When all must be done, retries included.
    pub deadline: Deadline,
}

/// A call that was not answered well.
pub struct Failed {
    /// What the last attempt was answered.
    pub status: Status,
    /// Whether nobody knows what the attempts have done.
    pub is_outcome_unknown: bool,
}

impl Target<'_> {
    /// The answer to one request, which is sent again where its effect allows that.
    pub async fn ask(
        &self,
        message: &DynamicMessage,
        effect: &Effect,
        retries: bool,
    ) -> Result<DynamicMessage, Failed> {
        let mut is_unknown = false;
        let mut attempt = 1;
        // One for all attempts: after the first, an interrupt ends the program only where somebody listens.
        let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| Failed {
            status: Status::internal(format!("interrupts cannot be noticed: {error}")),
            is_outcome_unknown: false,
        })?;
        let interrupted = || Status::cancelled("interrupted before an answer came");
        loop {
            let answered = tokio::select! {
                answered = self.attempt(message.clone()) => answered,
                _ = interrupts.recv() => Err(interrupted()),
            };
            let status = match answered {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            is_unknown = is_outcome_unknown(is_unknown, &status);
            let delay = if retries { effect.delay(attempt, &status) } else { None };
            // No attempt begins after the deadline: it could not be answered, and its failure would hide this one.
            let Some(delay) = delay.filter(|delay| *delay < self.deadline.left()) else {
                return Err(Failed { status, is_outcome_unknown: is_unknown });
            };
            let id = effect.id().map(|id| format!(" with the same request_id {id}")).unwrap_or_default();
            let said = refusal::headline(&status);
            eprintln!("attempt {attempt} of {ATTEMPTS}: {}; sent again in {delay:?}{id}", printable(&said));
            tokio::select! {
                () = sleep(delay) => {}
                _ = interrupts.recv() => return Err(Failed { status: interrupted(), is_outcome_unknown: is_unknown }),
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, message: DynamicMessage) -> Result<DynamicMessage, Status> {
        let mut client = Grpc::new(self.channel.clone());
        let answered = async {
            client.ready().await.map_err(|error| Status::from_error(error.into()))?;
            Ok(client.unary(self.request(message), self.path()?, self.codec()).await?.into_inner())
        };
        self.in_time(answered).await
    }

    /// Prints the messages of a stream, until it ends, or the deadline, or Ctrl-C, or that many.
    pub async fn follow(&self, message: DynamicMessage, most: Option<u64>) -> Result<(), CommandError> {
        let mut stream = match self.open(message).await {
            Ok(stream) => stream,
            Err(status) => return Err(refusal::text(&status).into()),
        };
        let mut printed = 0;
        while most.is_none_or(|most| printed < most) {
            let next = tokio::select! {
                next = stream.message() => next,
                () = sleep_until(self.deadline.0) => return Ok(()),
                interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
            };
            match next {
                Ok(Some(message)) if message::print(&message)? => printed += 1,
                // The stream has ended, or nobody reads what is printed any more.
                Ok(_) => return Ok(()),
                Err(status) if status.code() == Code::DeadlineExceeded => return Ok(()),
                Err(status) => return Err(refusal::text(&status).into()),
            }
        }
        Ok(())
    }

    async fn open(&self, message: DynamicMessage) -> Result<Streaming<DynamicMessage>, Status> {
        let mut client = Grpc::new(self.channel.clone());
        let opened = async {
            client.ready().await.map_err(|error| Status::from_error(error.into()))?;
            Ok(client.server_streaming(self.request(message), self.path()?, self.codec()).await?.into_inner())
        };
        self.in_time(opened).await
    }

    /// Whatever the server does, this side waits no longer than to the deadline. tonic's client calls its own timeout
    /// CANCELLED.
    async fn in_time<T>(&self, answered: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let late = || Status::deadline_exceeded("no answer came before the deadline");
        match timeout_at(self.deadline.0 + GRACE, answered).await {
            Ok(Err(status)) if find::<TimeoutExpired>(&status).is_some() => Err(late()),
            Ok(answered) => answered,
            Err(_) => Err(late()),
        }
    }

    fn request(&self, message: DynamicMessage) -> Request<DynamicMessage> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request.set_timeout(self.deadline.left());
        request
    }

    fn path(&self) -> Result<PathAndQuery, Status> {
        let path = format!("/{}", methods::full_name(&self.method)).try_into();
        path.map_err(|error| Status::internal(format!("the method's name is no path: {error}")))
    }

    fn codec(&self) -> DynamicCodec {
        DynamicCodec { answer: self.method.output() }
    }
}
