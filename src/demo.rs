//! The store `demo`, which `develop` creates in an empty database, so that the first calls need no setup.

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
use crate::workers::error::{ServiceFault, WorkerError};
use crate::workers::{ReadClass, Requester};

/// The demo store's id, which the start message names.
pub const STORE: &str = "demo";
/// The principal with the role owner, which has every permission in the store.
pub const OWNER: &str = "alice";
/// The principal with the role receiver, who may receive deliveries and not complete orders.
pub const RECEIVER: &str = "bob";

/// Creates the store if the database has no store; its back-order feature is off.
pub async fn create(app: &App) -> Result<(), WorkerError> {
    let operator = Principal { id: PrincipalId::new(OPERATOR), is_operator: true };
    let asking = operator.clone();
    let any = app
        .readers
        .read(Requester::default(), ReadClass::Small, move |session| stores::list(session, &asking, "", 1))
        .await?;
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
        // Another instance has created it in the meantime.
        Err(WorkerError::Refused(Refusal::StoreExists(_))) => return Ok(()),
        other => other?,
    }
    // A transaction of its own: if the program ends before it, the next start finds a store and does not grant the
    // role. Its owner still can.
    let grant = GrantRole { principal: PrincipalId::new(RECEIVER), role: RoleId::new("receiver") };
    submit(app, &operator, grant).await
}

async fn submit(app: &App, operator: &Principal, command: impl Command + 'static) -> Result<(), WorkerError> {
    let (store, principal) = (StoreId::new(STORE), operator.clone());
    let envelope = Envelope { store, principal, idempotency_key: None, named_cost: None, command: Arc::new(command) };
    app.writers.submit(envelope, 0, None, None).await.map(drop)
}
