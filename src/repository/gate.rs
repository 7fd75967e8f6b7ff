//! What the gate judges, loaded for all commands of a batch by one statement: the caller's permissions,
//! the stored response and the target's header, one row for each command.

use std::collections::BTreeSet;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::error::{DbError, DbErrorKind};
use super::keys::{KeyPart, Keys};
use super::rows::order::OrderRow;
use super::rows::stored_response::stored_outcome;
use super::schema::purchase_order;
use super::session::Session;
use crate::domain::access::Permission;
use crate::domain::command::Envelope;
use crate::domain::idempotency::StoredResponse;
use crate::domain::order::Order;
use crate::domain::time::Timestamp;
use crate::domain::working_set::WorkingSet;

/// Store, principal, request id, order, and the command's place in the batch.
const KEY: &[KeyPart] = &[KeyPart::Text, KeyPart::Text, KeyPart::Text, KeyPart::Text, KeyPart::Int];

/// What a principal's roles allow now, as one text: roles may share permissions, so a name may come
/// twice.
const PERMISSIONS: &str = "(SELECT string_agg(role_permission.permission, ',') FROM role_grant \
     JOIN role_permission ON role_permission.store_id = k.k0 AND role_permission.role_id = role_grant.role_id \
     AND role_permission.to_event IS NULL \
     WHERE role_grant.store_id = k.k0 AND role_grant.principal = k.k1 AND role_grant.to_event IS NULL)";

const JOINS: &str = " LEFT JOIN stored_response ON stored_response.store_id = k.k0 \
     AND stored_response.principal = k.k1 AND stored_response.request_id = k.k2 \
     LEFT JOIN purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k3";

type OrderColumns = <purchase_order::table as Table>::AllColumns;
type OrderTypes = <OrderColumns as Expression>::SqlType;
type Types = (Integer, Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>, Nullable<OrderTypes>);
type Row = (i32, Option<String>, Option<String>, Option<i64>, Option<String>, Option<OrderRow>);

struct GateQuery {
    keys: Keys,
    order: OrderColumns,
}

impl QueryFragment<Pg> for GateQuery {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT k.k4, ");
        self.keys.write_sql(PERMISSIONS, &mut out)?;
        out.push_sql(", stored_response.fingerprint, stored_response.create_time, stored_response.outcome, ");
        QueryFragment::<Pg>::walk_ast(&self.order, out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_pg(&mut out)?;
        self.keys.write_sql(JOINS, &mut out)
    }
}

impl QueryFragment<Sqlite> for GateQuery {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT k.k4, ");
        out.push_sql(PERMISSIONS);
        out.push_sql(", stored_response.fingerprint, stored_response.create_time, stored_response.outcome, ");
        QueryFragment::<Sqlite>::walk_ast(&self.order, out.reborrow())?;
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

/// Loads what the gate judges of these requests. Their stores must be in the working_set already.
pub fn load(session: &mut Session, working_set: &mut WorkingSet, envelopes: &[&Envelope]) -> Result<(), DbError> {
    let keys = envelopes.iter().enumerate().map(|(index, envelope)| {
        let request_id = envelope.idempotency_key.as_ref().map(|key| key.id.to_string()).unwrap_or_default();
        let order = envelope.command.target().map(|target| target.order.to_string()).unwrap_or_default();
        let principal = envelope.principal.id.as_str();
        vec![
            envelope.store.as_str().into(),
            principal.into(),
            request_id.into(),
            order.into(),
            i32::try_from(index).unwrap_or_default().into(),
        ]
    });
    let Some(keys) = Keys::new(session.store_scope(), KEY, keys) else { return Ok(()) };
    let rows: Vec<Row> = session.load(GateQuery { keys, order: purchase_order::all_columns })?;
    for row in rows {
        let envelope = usize::try_from(row.0).ok().and_then(|index| envelopes.get(index));
        let envelope = envelope.ok_or_else(|| DbError::unreadable("key", row.0))?;
        found(working_set, envelope, row)?;
    }
    Ok(())
}

fn found(working_set: &mut WorkingSet, envelope: &Envelope, row: Row) -> Result<(), DbError> {
    let (_, permissions, fingerprint, create_time, outcome, order) = row;
    let permissions = permissions_of(permissions.as_deref().unwrap_or_default())?;
    working_set.insert_permissions(envelope.store.clone(), envelope.principal.id.clone(), permissions);
    if let Some(key) = envelope.stored_response_key() {
        working_set.stored_responses.insert_absent(key.clone());
        if let (Some(fingerprint), Some(create_time), Some(outcome)) = (fingerprint, create_time, outcome) {
            // A store that was not there to be locked was created since, by this very request at another
            // instance.
            if matches!(working_set.store(&envelope.store), Ok(None)) {
                return Err(DbError::new(DbErrorKind::Retry, "a store was created while it was looked for"));
            }
            let create_time = Timestamp::from_micros(create_time);
            let record = StoredResponse { key, fingerprint, create_time, outcome: stored_outcome(&outcome)? };
            working_set.stored_responses.insert_loaded(record.key.clone(), record);
        }
    }
    if let Some(target) = envelope.command.target() {
        working_set.orders.insert_absent(envelope.order_key(target.order));
        if let Some(order) = order {
            let order = Order::try_from(order)?;
            working_set.orders.insert_loaded(order.key.clone(), order);
        }
    }
    Ok(())
}

fn permissions_of(names: &str) -> Result<BTreeSet<Permission>, DbError> {
    let names = names.split(',').filter(|name| !name.is_empty());
    let known = |name| Permission::from_name(name).ok_or_else(|| DbError::unreadable("permission", name));
    names.map(known).collect()
}
