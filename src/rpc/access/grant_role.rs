//! GrantRole.

use tonic::{Request, Response, Status};

use super::fields::grant;
use crate::domain::access::grants::GrantRole;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn grant_role(
    app: &App,
    request: Request<v1::GrantRoleRequest>,
) -> Result<Response<v1::GrantRoleResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Parsed { submission, grant } = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::GrantRoleResponse { grant: Some(grant), event_number: reply.outcome.event() }))
}

struct Parsed {
    submission: Submission,
    /// The answer's grant: what was asked for, whether it is new or was there before.
    grant: v1::Grant,
}

fn parse(call: &Call, mut request: v1::GrantRoleRequest) -> Result<Parsed, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let command = GrantRole {
        principal: fields.principal("principal", &request.principal),
        role: fields.role_id(&request.role_id),
    };
    fields.finish()?;
    let grant = grant(&command.principal, &command.role);
    Ok(Parsed { submission: call.submission(store, idempotency, command), grant })
}
