//! CreateRole.

use tonic::{Request, Response, Status};

use super::fields::{parse_permissions, role};
use crate::domain::access::create_role::CreateRole;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn create_role(
    app: &App,
    request: Request<v1::CreateRoleRequest>,
) -> Result<Response<v1::CreateRoleResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Parsed { submission, role } = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CreateRoleResponse { role: Some(role), event_number: reply.outcome.event() }))
}

struct Parsed {
    submission: Submission,
    /// The answer's role. A replay has the same request, so it repeats the role as it was created.
    role: v1::Role,
}

fn parse(call: &Call, mut request: v1::CreateRoleRequest) -> Result<Parsed, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let create = CreateRole {
        role: fields.role_id(&request.role_id),
        permissions: parse_permissions(&mut fields, &request.permissions),
    };
    fields.finish()?;
    let role = role(&create.role, &create.permissions);
    Ok(Parsed { submission: call.submission(store, idempotency, create), role })
}
