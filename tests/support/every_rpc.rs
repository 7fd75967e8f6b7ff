//! Every rpc with what it requires of its caller, to be called by anybody about any store.

use std::future::Future;
use std::pin::Pin;

use purchase_order_service::proto::v1::{AdjustmentKind, Permission, PurchaseOrder};
use tonic::Status;

use super::caller::Caller;
use super::rpc::{Call, Rpc};

/// What an rpc requires of its caller.
#[derive(Clone, Copy, PartialEq)]
pub enum Needs {
    Nothing,
    AnyRole,
    Operator,
    /// This permission, by a role.
    Role(Permission),
    /// This permission and VIEW_COSTS, by a role.
    RoleWithCosts(Permission),
    /// This permission, by a role or as an operator.
    RoleOrOperator(Permission),
}

/// What a call came to.
pub type Answered = Pin<Box<dyn Future<Output = Result<(), Status>>>>;

/// An rpc and a call of it.
pub struct Entry {
    pub path: &'static str,
    pub needs: Needs,
    pub call: Box<dyn Fn(&Caller) -> Answered>,
}

fn entry<R: Rpc>(needs: Needs, request: impl Fn(&Caller) -> Call<R> + 'static) -> Entry {
    let call = move |caller: &Caller| -> Answered {
        let call = request(caller);
        Box::pin(async move { call.await.map(drop) })
    };
    Entry { path: R::PATH, needs, call: Box::new(call) }
}

/// Every rpc, called about an order that does not exist.
pub fn every_rpc() -> Vec<Entry> {
    use Needs::{AnyRole, Nothing, Operator, Role, RoleOrOperator, RoleWithCosts};
    use Permission::{
        AdjustInventory, Cancel, CompletePurchaseOrders, Edit, ManageAccess, ManageStore, Place, Receive, Reopen, View,
        ViewReports,
    };
    let none =
        || PurchaseOrder { purchase_order_id: "01234567-89ab-7cde-8f01-23456789abcd".into(), ..Default::default() };
    vec![
        entry(RoleWithCosts(Edit), |caller| caller.create(&[("apples", "1")])),
        entry(Role(View), move |caller| caller.get(&none().purchase_order_id)),
        entry(Role(View), |caller| caller.list()),
        entry(Role(Edit), move |caller| caller.update(&none(), &["note"])),
        entry(Role(Edit), move |caller| caller.copy(&none())),
        entry(Role(Place), move |caller| caller.place(&none())),
        entry(Role(Receive), move |caller| caller.receive(&none()).all_pending()),
        entry(Role(Receive), move |caller| caller.deliver().accept_line(&none(), 1, "1")),
        entry(Role(Receive), move |caller| caller.void(&none(), 1)),
        entry(Role(Edit), move |caller| caller.amend(&none(), &[(1, "1")])),
        entry(Role(Edit), move |caller| caller.confirm(&none(), &[(1, "")])),
        entry(Role(Cancel), move |caller| caller.cancel_lines(&none(), &[(1, "")])),
        entry(Role(Receive), move |caller| caller.correct(&none(), 1).all_pending()),
        entry(Role(CompletePurchaseOrders), move |caller| caller.preview(&none())),
        entry(Role(CompletePurchaseOrders), move |caller| caller.complete(&none())),
        entry(Role(Cancel), move |caller| caller.cancel(&none())),
        entry(Role(Reopen), move |caller| caller.reopen(&none())),
        entry(Role(View), move |caller| caller.list_lines(&none())),
        entry(Role(View), move |caller| caller.receipt(&none(), 1)),
        entry(Role(View), move |caller| caller.list_receipts(&none())),
        entry(Role(View), |caller| caller.find("apples")),
        entry(Role(View), move |caller| caller.chain(&none())),
        entry(Role(View), move |caller| caller.history(&none())),
        entry(Role(View), |caller| caller.events(0)),
        entry(Role(View), |caller| caller.watch(0)),
        entry(Role(ViewReports), |caller| caller.performance()),
        entry(Role(ViewReports), |caller| caller.outstanding()),
        entry(Role(View), |caller| caller.level("apples")),
        entry(Role(View), |caller| caller.list_levels()),
        entry(Role(View), |caller| caller.list_lots()),
        entry(Role(View), |caller| caller.movements("apples")),
        entry(Role(AdjustInventory), |caller| caller.adjust("apples", AdjustmentKind::Sale, "1")),
        entry(Operator, |caller| caller.create_store("sam")),
        entry(AnyRole, |caller| caller.get_store()),
        entry(Nothing, |caller| caller.list_stores()),
        entry(RoleOrOperator(ManageStore), |caller| caller.update_store(&["display_name"])),
        entry(Operator, |caller| caller.enable_back_orders()),
        entry(Operator, |caller| caller.disable_back_orders()),
        entry(RoleOrOperator(ManageAccess), |caller| caller.create_role("auditor", &[View])),
        entry(RoleOrOperator(ManageAccess), |caller| caller.update_role("no-such-role", &[View])),
        entry(RoleOrOperator(ManageAccess), |caller| caller.delete_role("no-such-role")),
        entry(RoleOrOperator(ManageAccess), |caller| caller.list_roles()),
        entry(RoleOrOperator(ManageAccess), |caller| caller.grant("dora", "no-such-role")),
        entry(RoleOrOperator(ManageAccess), |caller| caller.revoke("dora", "no-such-role")),
        entry(RoleOrOperator(ManageAccess), |caller| caller.list_grants()),
    ]
}
