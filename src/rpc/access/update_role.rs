//! UpdateRole.

use tonic::{Request, Response, Status};

use super::fields::{parse_permissions, role};
use crate::domain::access::update_role::UpdateRole;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

/// The fields that `update_mask` may name.
const FIELDS: [&str; 1] = ["permissions"];

pub(super) async fn update_role(
    app: &App,
    request: Request<v1::UpdateRoleRequest>,
) -> Result<Response<v1::UpdateRoleResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Parsed { submission, role } = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::UpdateRoleResponse { role: Some(role), event_number: reply.outcome.event() }))
}

struct Parsed {
    submission: Submission,
    /// The answer's role. A replay has the same request, so it repeats the role as it was after the update.
    role: v1::Role,
}

fn parse(call: &Call, mut request: v1::UpdateRoleRequest) -> Result<Parsed, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let id = fields.role_id(&request.role_id);
    // There is one field to name. A mask that is accepted names it, so nothing depends on what it holds.
    fields.mask(request.update_mask.as_ref(), &FIELDS);
    let update = UpdateRole { role: id, permissions: parse_permissions(&mut fields, &request.permissions) };
    fields.finish()?;
    let role = role(&update.role, &update.permissions);
    Ok(Parsed { submission: call.submission(store, idempotency, update), role })
}
