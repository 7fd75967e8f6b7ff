//! Loads what the gate judges commands by: the caller's permissions, the stored response to the request id, and the
//! headers of the target orders. One statement returns a row for each command of a batch, and one more for each further
//! order that a command is about.
//!
//! The gate comes before everything else because it decides which commands are refused or answered from their stored
//! response. These load no lines, so a caller without a permission cannot make the service read a large order.

use std::collections::BTreeSet;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::error::{DbError, DbErrorKind};
use super::keys::{KeyTable, KeyType, KeyValue, SelectedColumns};
use super::rows::order::{Header, HeaderRow};
use super::rows::stored_response::stored_outcome;
use super::session::Session;
use crate::domain::access::Permission;
use crate::domain::command::Envelope;
use crate::domain::idempotency::StoredResponse;
use crate::domain::order::Order;
use crate::domain::time::Timestamp;
use crate::domain::working_set::WorkingSet;

/// The key of a command: store, principal, request id, order, and its index in the batch. The index comes back with the
/// row, because databases return rows in any order, and two commands may be equal in all else.
const KEY_TYPES: &[KeyType] = &[KeyType::Text, KeyType::Text, KeyType::Text, KeyType::Text, KeyType::Int];

/// The permissions that the principal's roles give now, separated by commas. As a subquery, so that a command has no more
/// rows however many permissions its caller has. A name may come twice, because roles may share permissions.
const PERMISSIONS: &str = "(SELECT string_agg(role_permission.permission, ',') FROM role_grant \
     JOIN role_permission ON role_permission.store_id = k.k0 AND role_permission.role_id = role_grant.role_id \
     AND role_permission.to_event IS NULL \
     WHERE role_grant.store_id = k.k0 AND role_grant.principal = k.k1 AND role_grant.to_event IS NULL)";

/// LEFT JOINs, because most commands have neither a stored response nor, if they create something, an order.
const JOINS: &str = " LEFT JOIN stored_response ON stored_response.store_id = k.k0 \
     AND stored_response.principal = k.k1 AND stored_response.request_id = k.k2 \
     LEFT JOIN purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k3";

type OrderTypes = <Header as Expression>::SqlType;
type Types = (Integer, Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>, Nullable<OrderTypes>);
/// Index, permissions, then fingerprint, time and outcome of the stored response, then the header.
type GateRow = (i32, Option<String>, Option<String>, Option<i64>, Option<String>, Option<HeaderRow>);

/// The statement. It is written by hand, because its keys are a table and the two databases write that differently.
struct GateQuery {
    keys: KeyTable,
    header: Header,
}

impl QueryFragment<Pg> for GateQuery {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT k.k4, ");
        self.keys.push_sql(PERMISSIONS, &mut out)?;
        out.push_sql(", stored_response.fingerprint, stored_response.create_time, stored_response.outcome, ");
        QueryFragment::<Pg>::walk_ast(&self.header, out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_pg(&mut out)?;
        self.keys.push_sql(JOINS, &mut out)
    }
}

impl QueryFragment<Sqlite> for GateQuery {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT k.k4, ");
        out.push_sql(PERMISSIONS);
        out.push_sql(", stored_response.fingerprint, stored_response.create_time, stored_response.outcome, ");
        QueryFragment::<Sqlite>::walk_ast(&self.header, out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_sqlite(&mut out)?;
        out.push_sql(JOINS);
        Ok(())
    }
}

impl QueryId for GateQuery {
    type QueryId = GateQuery;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for GateQuery {
    type SqlType = Types;
}

impl<C> RunQueryDsl<C> for GateQuery {}

/// Loads what the gate judges these commands by. Their stores must be in the working set already: under a lock for a
/// writer, so that nothing that is read here can change before the COMMIT.
pub fn load(session: &mut Session, working_set: &mut WorkingSet, envelopes: &[&Envelope]) -> Result<(), DbError> {
    let mut keys = Vec::with_capacity(envelopes.len());
    for (index, envelope) in envelopes.iter().enumerate() {
        let targets = envelope.command.targets();
        // A command about several orders has a row for each of them, and one about none has a row too.
        let orders = targets.iter().map(|target| target.order.to_string());
        let orders: Vec<String> = if targets.is_empty() { vec![String::new()] } else { orders.collect() };
        for order in orders {
            keys.push(key_of(index, envelope, order)?);
        }
        for target in &targets {
            working_set.orders.insert_absent(envelope.order_key(target.order));
        }
    }
    let Some(keys) = KeyTable::new(session.store_scope(), KEY_TYPES, keys)? else { return Ok(()) };
    let rows: Vec<GateRow> = session.load(GateQuery { header: Header::columns(keys.only_store()), keys })?;
    for row in rows {
        let index = row.0;
        let envelope = usize::try_from(index).ok().and_then(|index| envelopes.get(index));
        let envelope = envelope.ok_or_else(|| DbError::bug(format!("there is no command {index}")))?;
        insert(working_set, envelope, row)?;
    }
    Ok(())
}

/// The key of one command and one order. Empty texts stand for a missing request id or order: no row has an empty id,
/// so the joins find nothing for them.
fn key_of(index: usize, envelope: &Envelope, order: String) -> Result<Vec<KeyValue>, DbError> {
    let request_id = match &envelope.idempotency_key {
        Some(key) => key.id.to_string(),
        None => String::new(),
    };
    // Two commands with the same index would be given each other's permissions.
    let index = i32::try_from(index).map_err(|_| DbError::bug(format!("a batch has more than {index} commands")))?;
    Ok(vec![
        envelope.store.as_str().into(),
        envelope.principal.id.as_str().into(),
        request_id.into(),
        order.into(),
        index.into(),
    ])
}

/// Puts what was found for one command into the working set, and notes what was looked for and is absent: a rule that
/// asks for something that was never looked for is a bug.
fn insert(working_set: &mut WorkingSet, envelope: &Envelope, row: GateRow) -> Result<(), DbError> {
    let (_, permissions, fingerprint, create_time, outcome, order) = row;
    let permissions = permissions_of(permissions.as_deref())?;
    working_set.insert_permissions(envelope.store.clone(), envelope.principal.id.clone(), permissions);
    if let Some(key) = envelope.stored_response_key() {
        working_set.stored_responses.insert_absent(key.clone());
        if let (Some(fingerprint), Some(create_time), Some(outcome)) = (fingerprint, create_time, outcome) {
            // Two instances may be given the same CreateStore request. The store did not exist when this one looked for
            // it to lock it, so it has no lock; the response shows that the other instance has created it meanwhile.
            // Retried from the beginning, this transaction locks the store and answers from the stored response.
            if matches!(working_set.store(&envelope.store), Ok(None)) {
                return Err(DbError::new(DbErrorKind::Retry, "a store was created while it was looked for"));
            }
            let create_time = Timestamp::from_micros(create_time);
            let response = StoredResponse { key, fingerprint, create_time, outcome: stored_outcome(&outcome)? };
            working_set.stored_responses.insert_loaded(response.key.clone(), response);
        }
    }
    if let Some(order) = order {
        let order = Order::try_from(order)?;
        working_set.orders.insert_loaded(order.key.clone(), order);
    }
    Ok(())
}

/// Reads permissions as `string_agg` lists them; `None` is what it makes of no rows.
pub(super) fn permissions_of(names: Option<&str>) -> Result<BTreeSet<Permission>, DbError> {
    let mut permissions = BTreeSet::new();
    let Some(names) = names else { return Ok(permissions) };
    for name in names.split(',') {
        let permission = Permission::from_name(name).ok_or_else(|| DbError::unreadable("permission", name))?;
        permissions.insert(permission);
    }
    Ok(permissions)
}
