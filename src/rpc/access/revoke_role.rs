//! RevokeRole.

use tonic::{Request, Response, Status};

use crate::domain::access::grants::RevokeRole;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn revoke_role(
    app: &App,
    request: Request<v1::RevokeRoleRequest>,
) -> Result<Response<v1::RevokeRoleResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::RevokeRoleResponse { event_number: reply.outcome.event() }))
}

fn parse(call: &Call, mut request: v1::RevokeRoleRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let revoke = RevokeRole {
        principal: fields.principal("principal", &request.principal),
        role: fields.role_id(&request.role_id),
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, revoke))
}
