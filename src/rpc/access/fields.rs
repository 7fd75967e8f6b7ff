//! What several rpcs of this service parse and answer in the same way: permissions, roles and grants.

use std::collections::BTreeSet;

use crate::domain::access::Permission;
use crate::domain::code::{PrincipalId, RoleId};
use crate::proto::v1;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::{caps, convert};

/// The permissions that a role is to have: at least one, each named once.
pub(super) fn parse_permissions(fields: &mut FieldParser, wire: &[i32]) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for (index, number) in fields.capped(caps::PERMISSIONS, wire).iter().enumerate() {
        let field = format_args!("permissions[{index}]");
        let known = fields.known(field, convert::permission_of(*number), "a Permission other than UNSPECIFIED");
        let Some(permission) = known else { continue };
        if !permissions.insert(permission) {
            fields.violation(field, format_args!("names {permission} a second time"));
        }
    }
    if wire.is_empty() {
        fields.violation("permissions", "must name at least one permission");
    }
    permissions
}

pub(super) fn role(id: &RoleId, permissions: &BTreeSet<Permission>) -> v1::Role {
    let permissions = permissions.iter().map(|permission| convert::permission(*permission).into());
    v1::Role { role_id: id.to_string(), permissions: permissions.collect() }
}

pub(super) fn grant(principal: &PrincipalId, role: &RoleId) -> v1::Grant {
    v1::Grant { principal: principal.to_string(), role_id: role.to_string() }
}
