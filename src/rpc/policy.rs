//! Who may call what, rpc by rpc: one table. A call of what is not in it goes no further.

use crate::domain::access::{Permission, Requirement};
use crate::door::occupancy::Class;

/// Who may call an rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Anybody.
    Public,
    /// Anybody, who watches for some minutes.
    PublicStream,
    /// Whoever is known, who watches for some minutes.
    KnownStream,
    /// Whoever is known.
    Known,
    /// Whoever meets the requirement in the store that the request names.
    Requires(Requirement),
}

impl Policy {
    /// Which budget its calls take from.
    pub fn class(self) -> Class {
        match self {
            Self::Public => Class::Public,
            Self::PublicStream | Self::KnownStream => Class::Watch,
            Self::Known | Self::Requires(_) => Class::Ordinary,
        }
    }
}

const VIEW: Policy = Policy::Requires(Requirement::Permission(Permission::View));
const EDIT: Policy = Policy::Requires(Requirement::Permission(Permission::Edit));
const RECEIVE: Policy = Policy::Requires(Requirement::Permission(Permission::Receive));
const COMPLETE: Policy = Policy::Requires(Requirement::Permission(Permission::CompletePurchaseOrders));
const ACCESS: Policy = Policy::Requires(Requirement::PermissionOrOperator(Permission::ManageAccess));
const OPERATOR: Policy = Policy::Requires(Requirement::Operator);

const ORDERS: &str = "/purchasing.v1.PurchaseOrderService/";
const INVENTORY: &str = "/purchasing.v1.InventoryService/";
const STORES: &str = "/purchasing.v1.StoreService/";
const ROLES: &str = "/purchasing.v1.AccessService/";

/// The policy of an rpc, by its path; `None` for what is not known. `public_reflection` lets anybody
/// ask what the contract is.
pub fn of(path: &str, public_reflection: bool) -> Option<Policy> {
    if let Some(rpc) = path.strip_prefix(ORDERS) {
        return of_orders(rpc);
    }
    if let Some(rpc) = path.strip_prefix(INVENTORY) {
        return matches!(rpc, "GetInventoryLevel" | "ListInventoryLevels" | "ListStockMovements").then_some(VIEW);
    }
    if let Some(rpc) = path.strip_prefix(STORES) {
        return of_stores(rpc);
    }
    if let Some(rpc) = path.strip_prefix(ROLES) {
        let known = ["CreateRole", "UpdateRole", "DeleteRole", "ListRoles", "GrantRole", "RevokeRole", "ListGrants"];
        return known.contains(&rpc).then_some(ACCESS);
    }
    match path {
        "/grpc.health.v1.Health/Check" => Some(Policy::Public),
        "/grpc.health.v1.Health/Watch" => Some(Policy::PublicStream),
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
            Some(if public_reflection { Policy::PublicStream } else { Policy::KnownStream })
        }
        _ => None,
    }
}

fn of_orders(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "CreatePurchaseOrder" | "UpdatePurchaseOrder" => EDIT,
        "PlacePurchaseOrder" => Policy::Requires(Requirement::Permission(Permission::Place)),
        "ReceivePurchaseOrder" | "VoidReceipt" => RECEIVE,
        "PreviewCompletion" | "CompletePurchaseOrder" => COMPLETE,
        "CancelPurchaseOrder" => Policy::Requires(Requirement::Permission(Permission::Cancel)),
        "GetPurchaseOrder"
        | "ListPurchaseOrders"
        | "ListPurchaseOrderLines"
        | "GetReceipt"
        | "ListReceipts"
        | "GetBackOrderChain" => VIEW,
        _ => return None,
    })
}

fn of_stores(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "CreateStore" | "EnableBackOrders" | "DisableBackOrders" => OPERATOR,
        "UpdateStore" => Policy::Requires(Requirement::PermissionOrOperator(Permission::ManageStore)),
        "GetStore" => Policy::Requires(Requirement::AnyRoleOrOperator),
        "ListStores" => Policy::Known,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::of;
    use crate::proto::DESCRIPTORS;

    #[test]
    fn every_rpc_that_is_served_has_a_policy() {
        let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let sets = [DESCRIPTORS, health].map(|set| prost_types::FileDescriptorSet::decode(set).unwrap());
        let mut seen = 0;
        for file in sets.iter().flat_map(|set| &set.file) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    assert!(of(&path, false).is_some(), "{path} has no policy");
                    seen += 1;
                }
            }
        }
        assert!(seen >= 32, "the rpcs are found: {seen}");
    }

    #[test]
    fn what_is_not_served_has_none() {
        for path in ["", "/", "/purchasing.v1.StoreService/", "/purchasing.v1.StoreService/DropStore", "/metrics"] {
            assert_eq!(of(path, true), None, "{path}");
        }
    }
}
