//! Making commands about stores and who may do what in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use purchase_order_service::domain::access::Permission;
use purchase_order_service::domain::access::create_role::CreateRole;
use purchase_order_service::domain::access::delete_role::DeleteRole;
use purchase_order_service::domain::access::grants::{GrantRole, RevokeRole};
use purchase_order_service::domain::access::update_role::UpdateRole;
use purchase_order_service::domain::code::{PrincipalId, RoleId};
use purchase_order_service::domain::command::Command;
use purchase_order_service::domain::money::Currency;
use purchase_order_service::domain::store::create::CreateStore;
use purchase_order_service::domain::store::update::UpdateStore;
use purchase_order_service::domain::time::TimeZone;

use crate::rules::commands::OWNER;
use crate::rules::commands::scene::Scene;

pub(super) fn create_store(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let (currency, zone) =
        at.pick([("EUR", "Europe/Amsterdam"), ("JPY", "Asia/Tokyo"), ("USD", "America/Los_Angeles")]);
    Arc::new(CreateStore {
        id: at.store.clone(),
        display_name: format!("Store {}", at.store),
        currency: Currency::parse(currency).expect("it is a currency"),
        time_zone: TimeZone::parse(zone).expect("it is a zone"),
        owner: PrincipalId::new(OWNER),
    })
}

pub(super) fn create_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // One store has room for more roles than there may be; there they are small, for they are loaded
    // with each batch.
    let (names, most) = if at.store.as_str() == "store-0" { (150, 2) } else { (9, Permission::ALL.len()) };
    let role = RoleId::new(format!("role-{}", at.rng.u32(..names)));
    Arc::new(CreateRole { role, permissions: at.permissions(most) })
}

pub(super) fn update_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // Those that carry the work rarely change, and then but a little.
    let role = if at.one_in(20) { RoleId::new(at.pick(["owner", "manager", "receiver"])) } else { at.role() };
    let allowed = at.pure.working_set.roles(&at.store).ok().and_then(|roles| roles.get(&role));
    let mut permissions: BTreeSet<Permission> =
        allowed.into_iter().flat_map(|allowed| allowed.keys().copied()).collect();
    match at.rng.u8(..6) {
        0 => {}
        1 => drop(permissions.pop_last()),
        _ => permissions.extend(at.permissions(3)),
    }
    permissions.insert(at.pick(Permission::ALL));
    Arc::new(UpdateRole { role, permissions })
}

pub(super) fn delete_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    Arc::new(DeleteRole { role: at.role() })
}

pub(super) fn update_store(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let display_name = at.maybe("The corner shop");
    let zone = at.maybe("Europe/Amsterdam").and_then(|zone| TimeZone::parse(&zone));
    let over_receipt_tolerance = if at.one_in(2) { Some(at.tolerance()) } else { None };
    let allow_negative_stock = at.rng.bool().then(|| at.rng.bool());
    Arc::new(UpdateStore {
        display_name,
        time_zone: zone,
        over_receipt_tolerance,
        allow_negative_stock,
        allow_unlisted_items: at.rng.bool().then(|| at.rng.bool()),
    })
}

pub(super) fn grant_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // A principal who lost the role of their name soon gets it again, so that work goes on.
    let (principal, role) = match at.pure.lacking(&at.store).filter(|_| !at.one_in(3)) {
        Some(name) => (name, RoleId::new(name)),
        None => (at.somebody(), at.role()),
    };
    Arc::new(GrantRole { principal: PrincipalId::new(principal), role })
}

pub(super) fn revoke_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let principal = if at.one_in(5) { OWNER } else { at.somebody() };
    let role = at.rng.choice(at.pure.held_by(&at.store, principal)).unwrap_or_else(|| at.role());
    Arc::new(RevokeRole { principal: PrincipalId::new(principal), role })
}
