//! Counts every call that reaches the service, outside of the guard, so that calls which the guard refuses count too. It also
//! has the access log log each call, and ends its trace.
//!
//! The status of a call is known when its headers are made if it was refused, and else with the trailers at the end of its
//! body. It counts at that moment, before it is sent, so that a caller who has an answer finds it counted. A call that is
//! dropped earlier, because its caller has gone or its time to be read has passed, counts as Canceled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Bytes;
use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::access_log::{AccessLog, CallRecord, ENDS_OF_STREAMS, Ended};
use super::bodies::ResponseBody;
use super::code_name::code_name;
use crate::domain::code::{PrincipalId, StoreId};
use crate::metrics::calls::{CallMetrics, RpcMetrics, RpcName};
use crate::proto::DESCRIPTORS;
use crate::traces::EndedCall;

/// Every rpc that is served: those of the contract, of health and of reflection.
pub fn rpcs() -> Result<Vec<RpcName>, prost::DecodeError> {
    let served = [
        DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut rpcs = Vec::new();
    for descriptors in served {
        for file in FileDescriptorSet::decode(descriptors)?.file {
            for service in &file.service {
                rpcs.extend(service.method.iter().map(|method| RpcName {
                    grpc_type: type_of(method),
                    grpc_service: format!("{}.{}", file.package(), service.name()),
                    grpc_method: method.name().to_owned(),
                }));
            }
        }
    }
    Ok(rpcs)
}

fn type_of(method: &MethodDescriptorProto) -> &'static str {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    }
}

/// A call that has begun. It counts as Canceled if it is dropped before its status is known.
pub struct CountedCall {
    rpc: Arc<RpcMetrics>,
    log: Arc<AccessLog>,
    record: Arc<CallRecord>,
    began: Instant,
    has_ended: bool,
}

impl CountedCall {
    /// Counts that a call of this path has begun. What becomes known of it is noted in `record`.
    pub fn begin(calls: &CallMetrics, log: &Arc<AccessLog>, path: &str, record: Arc<CallRecord>) -> Self {
        let rpc = Arc::clone(calls.of(path));
        rpc.started();
        Self { rpc, log: Arc::clone(log), record, began: Instant::now(), has_ended: false }
    }

    /// Counts how the call ends while it is answered.
    pub async fn count(mut self, answered: impl Future<Output = Response<ResponseBody>>) -> Response<CountedBody> {
        let response = answered.await;
        if response.headers().contains_key(Status::GRPC_STATUS) {
            self.end_with(response.headers());
        }
        response.map(|body| CountedBody { body, call: self })
    }

    /// Counts the status that these headers or trailers carry; without one it is unknown how the call ended.
    fn end_with(&mut self, sent: &HeaderMap) {
        let code = sent.get(Status::GRPC_STATUS).map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()));
        let reason = match code {
            // Nothing is looked for in an answer that succeeded: only errors have details.
            Code::Ok => None,
            _ => Status::from_header_map(sent).and_then(|status| status.get_details_error_info()),
        };
        self.end(code, reason.map(|info| info.reason).unwrap_or_default());
    }

    /// Counts and logs how the call ended, unless that was done before. `reason` is that of the status's details, if it has
    /// one.
    fn end(&mut self, code: Code, reason: String) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let took = self.began.elapsed();
        let (service, method) = self.rpc.name();
        self.log.log(&self.record, &Ended { service, method, code, reason: &reason, took });
        self.trace(code, &reason);
        self.rpc.handled(code.into(), took);
        if !reason.is_empty() {
            self.rpc.refused(reason);
        }
    }

    /// Records how the call ended in its trace.
    fn trace(&self, code: Code, reason: &str) {
        let record = &self.record;
        // Most calls are not sampled: nothing is allocated for them.
        if record.trace.traced().is_none() {
            return;
        }
        let (service, method) = self.rpc.name();
        record.trace.end(EndedCall {
            rpc: self.rpc.is_known().then(|| format!("{service}/{method}")),
            caller: record.caller.get().map(PrincipalId::as_str),
            store: record.store.get().map(StoreId::as_str),
            request_id: record.request_id.get().map(ToString::to_string),
            code: code_name(code),
            reason,
            is_error: is_error(code, reason),
        });
    }
}

/// Whether a call counts as an error of the server and not of its caller, by the conventions of OpenTelemetry. A stream that
/// ends as every one does is none.
fn is_error(code: Code, reason: &str) -> bool {
    let is_of_server = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    is_of_server && !ENDS_OF_STREAMS.contains(&reason)
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        self.end(Code::Cancelled, String::new());
    }
}

/// The body of an answer, whose last frame tells how the call ended.
pub struct CountedBody {
    body: ResponseBody,
    call: CountedCall,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.end_with(trailers);
                }
            }
            Some(Err(status)) => {
                self.call.end(status.code(), String::new());
            }
            // Every answer ends with trailers, so this one was refused in its headers, or a library forgot them.
            None => {
                self.call.end(Code::Unknown, String::new());
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::policy;

    #[test]
    fn every_rpc_that_is_counted_has_a_policy_and_a_name_of_its_own() {
        let mut rpcs = rpcs().unwrap();
        assert!(rpcs.len() >= 45, "{}", rpcs.len());
        for rpc in &rpcs {
            let path = format!("/{}/{}", rpc.grpc_service, rpc.grpc_method);
            assert!(policy::of(&path, false).is_some(), "{path}");
        }
        let count = rpcs.len();
        rpcs.sort_by_key(|rpc| (rpc.grpc_service.clone(), rpc.grpc_method.clone()));
        rpcs.dedup();
        assert_eq!(rpcs.len(), count);
        let type_of = |method: &str| rpcs.iter().find(|rpc| rpc.grpc_method == method).unwrap().grpc_type;
        assert_eq!(type_of("GetStore"), "unary");
        assert_eq!(type_of("WatchEvents"), "server_stream");
        assert_eq!(type_of("ServerReflectionInfo"), "bidi_stream");
    }
}
