//! The store `demo`, so that a first `cargo run` has something to try.

use std::sync::Arc;

use crate::auth::development::OPERATOR;
use crate::domain::access::grants::GrantRole;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::command::{Command, Envelope};
use crate::domain::money::Currency;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::store::create::CreateStore;
use crate::domain::time::TimeZone;
use crate::repository::read::stores;
use crate::rpc::App;
use crate::workers::ReadClass;
use crate::workers::error::{ServiceFault, WorkerError};

/// The store's id.
pub const STORE: &str = "demo";
/// Who may do everything in it.
pub const OWNER: &str = "alice";
/// Who may receive in it, and not complete.
pub const RECEIVER: &str = "bob";

/// Makes the store if the database has none; its back-order feature is off.
pub async fn create(app: &App) -> Result<(), WorkerError> {
    let operator = Principal { id: PrincipalId::new(OPERATOR), is_operator: true };
    let asking = operator.clone();
    let any =
        app.readers.read(None, ReadClass::Small, None, move |session| stores::list(session, &asking, "", 1)).await?;
    let (Some(currency), Some(time_zone)) = (Currency::parse("EUR"), TimeZone::parse("Europe/Amsterdam")) else {
        return Err(ServiceFault::Internal("the demo store's currency or time zone is unknown".to_owned()).into());
    };
    if !any.is_empty() {
        return Ok(());
    }
    let create = CreateStore {
        id: StoreId::new(STORE),
        display_name: "Demo store".to_owned(),
        currency,
        time_zone,
        owner: PrincipalId::new(OWNER),
    };
    match submit(app, &operator, create).await {
        // Another instance was faster.
        Err(WorkerError::Refused(Refusal::StoreExists(_))) => return Ok(()),
        other => other?,
    }
    let grant = GrantRole { principal: PrincipalId::new(RECEIVER), role: RoleId::new("receiver") };
    submit(app, &operator, grant).await
}

async fn submit(app: &App, operator: &Principal, command: impl Command + 'static) -> Result<(), WorkerError> {
    let (store, principal) = (StoreId::new(STORE), operator.clone());
    let envelope = Envelope { store, principal, idempotency_key: None, command: Arc::new(command) };
    app.writers.submit(envelope, 0, None).await.map(drop)
}
