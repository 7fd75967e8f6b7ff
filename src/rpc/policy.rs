//! How each rpc is authorized: one table. A method without an entry is refused as UNIMPLEMENTED.
//!
//! This table says which callers may reach a handler. Permissions are judged where the data are read or changed,
//! in the same snapshot or transaction: a command states its requirement itself ([`Command::requires`]), a read
//! gets the requirement from this table ([`AccessCheck`]). So each requirement is written in one place.
//!
//! [`Command::requires`]: crate::domain::command::Command::requires
//! [`AccessCheck`]: crate::repository::read::authorized::AccessCheck

use crate::domain::access::{Permission, Requirement};
use crate::transport::resource_limits::CallClass;

/// Who may call an rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everyone, without credentials; one answer.
    Public,
    /// Everyone, without credentials; the answer is a stream of some minutes at most.
    PublicStream,
    /// Every authenticated caller; the answer is a stream of some minutes at most.
    AuthenticatedStream,
    /// Authenticated callers who meet the requirement in the stores that the request names; the answer is a stream of
    /// some minutes at most.
    ReadStream(Requirement),
    /// Every authenticated caller; what they see depends on their roles.
    Authenticated,
    /// Authenticated callers who meet the requirement in the store that the request names.
    Read(Requirement),
    /// Authenticated callers who meet what the command requires in the store that the request names.
    Command,
}

impl Policy {
    /// Which budget its calls take from.
    pub fn class(self) -> CallClass {
        match self {
            Self::Public => CallClass::Public,
            Self::PublicStream | Self::AuthenticatedStream => CallClass::Watch,
            Self::ReadStream(_) => CallClass::EventWatch,
            Self::Authenticated | Self::Read(_) | Self::Command => CallClass::Ordinary,
        }
    }

    /// What a read requires of its caller in the store; `None` if the rpc is not a read of one store.
    pub fn read_requirement(self) -> Option<Requirement> {
        match self {
            Self::Read(requirement) | Self::ReadStream(requirement) => Some(requirement),
            Self::Public | Self::PublicStream | Self::AuthenticatedStream | Self::Authenticated | Self::Command => None,
        }
    }

    /// Whether the caller may send several messages.
    pub fn streams_requests(self) -> bool {
        matches!(self, Self::PublicStream | Self::AuthenticatedStream)
    }
}

const VIEW: Policy = Policy::Read(Requirement::Permission(Permission::View));
const VIEW_REPORTS: Policy = Policy::Read(Requirement::Permission(Permission::ViewReports));
const MANAGE_ACCESS: Policy = Policy::Read(Requirement::PermissionOrOperator(Permission::ManageAccess));

const ORDERS: &str = "/purchasing.v1.PurchaseOrderService/";
const INVENTORY: &str = "/purchasing.v1.InventoryService/";
const EVENTS: &str = "/purchasing.v1.EventService/";
const STORES: &str = "/purchasing.v1.StoreService/";
const ROLES: &str = "/purchasing.v1.AccessService/";
const REPORTS: &str = "/purchasing.v1.ReportService/";

/// The policy of an rpc, by its path; `None` if it is unknown. With
/// `public_reflection`, reflection takes no credentials.
pub fn of(path: &str, public_reflection: bool) -> Option<Policy> {
    if let Some(rpc) = path.strip_prefix(ORDERS) {
        return of_orders(rpc);
    }
    if let Some(rpc) = path.strip_prefix(INVENTORY) {
        return of_inventory(rpc);
    }
    if let Some(rpc) = path.strip_prefix(EVENTS) {
        return of_events(rpc);
    }
    if let Some(rpc) = path.strip_prefix(STORES) {
        return of_stores(rpc);
    }
    if let Some(rpc) = path.strip_prefix(ROLES) {
        return of_roles(rpc);
    }
    if let Some(rpc) = path.strip_prefix(REPORTS) {
        return of_reports(rpc);
    }
    match path {
        "/grpc.health.v1.Health/Check" => Some(Policy::Public),
        "/grpc.health.v1.Health/Watch" => Some(Policy::PublicStream),
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
            Some(if public_reflection { Policy::PublicStream } else { Policy::AuthenticatedStream })
        }
        _ => None,
    }
}

fn of_orders(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "CreatePurchaseOrder"
        | "UpdatePurchaseOrder"
        | "PlacePurchaseOrder"
        | "AmendPurchaseOrder"
        | "ConfirmPurchaseOrder"
        | "CopyPurchaseOrder"
        | "ReceivePurchaseOrder"
        | "ReceiveDelivery"
        | "VoidReceipt"
        | "CorrectReceipt"
        | "CompletePurchaseOrder"
        | "CancelPurchaseOrder"
        | "CancelPurchaseOrderLines"
        | "ReopenPurchaseOrder" => Policy::Command,
        // It judges the command that it previews, and changes nothing.
        "PreviewCompletion" => Policy::Command,
        "GetPurchaseOrder"
        | "ListPurchaseOrders"
        | "ListPurchaseOrderLines"
        | "GetReceipt"
        | "ListReceipts"
        | "FindReceivable"
        | "GetBackOrderChain"
        | "ListPurchaseOrderHistory" => VIEW,
        _ => return None,
    })
}

fn of_inventory(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "AdjustInventory" => Policy::Command,
        "GetInventoryLevel" | "ListInventoryLevels" | "ListInventoryLots" | "ListStockMovements" => VIEW,
        _ => return None,
    })
}

fn of_events(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "ListEvents" => VIEW,
        "WatchEvents" => Policy::ReadStream(Requirement::Permission(Permission::View)),
        _ => return None,
    })
}

fn of_stores(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "CreateStore" | "EnableBackOrders" | "DisableBackOrders" | "UpdateStore" => Policy::Command,
        "GetStore" => Policy::Read(Requirement::AnyRoleOrOperator),
        "ListStores" => Policy::Authenticated,
        _ => return None,
    })
}

fn of_roles(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "CreateRole" | "UpdateRole" | "DeleteRole" | "GrantRole" | "RevokeRole" => Policy::Command,
        "ListRoles" | "ListGrants" => MANAGE_ACCESS,
        _ => return None,
    })
}

fn of_reports(rpc: &str) -> Option<Policy> {
    Some(match rpc {
        "GetSupplierPerformance" | "ListOutstandingLines" => VIEW_REPORTS,
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
