//! Calling by message alone: each request knows its rpc and its answer.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use prost::Message;
use purchase_order_service::proto::v1::*;
use tokio::task::JoinHandle;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use super::refused::Refused;

/// A request: which rpc it is for, and what that answers.
pub trait Rpc: Message + Clone + Debug + Default + 'static {
    const PATH: &'static str;
    /// Whether the answer is a stream, of which [`Call`] takes the first message.
    const STREAMS: bool = false;
    type Answer: Message + Debug + Default + 'static;
}

/// A request that changes something.
pub trait Mutation: Rpc {
    fn request_id(&mut self) -> &mut String;
}

/// A request about to be sent by somebody; awaiting it sends it.
#[derive(Clone)]
pub struct Call<R> {
    pub(super) channel: Channel,
    /// Who calls; nobody is named if it is empty.
    pub(super) principal: String,
    /// What proves it, where proof is asked for.
    pub(super) token: Option<String>,
    pub(super) timeout: Option<Duration>,
    /// The trace that it is a part of.
    pub(super) traceparent: Option<String>,
    /// What is sent.
    pub request: R,
}

impl<R: Rpc> Call<R> {
    /// Changes what is sent.
    pub fn with(mut self, change: impl FnOnce(&mut R)) -> Self {
        change(&mut self.request);
        self
    }

    /// Sets a deadline, which the service is told of.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes it a part of a trace, by the header of W3C Trace Context.
    pub fn traced(mut self, traceparent: &str) -> Self {
        self.traceparent = Some(traceparent.to_owned());
        self
    }

    /// The answer of a call that must succeed.
    pub async fn ok(self) -> R::Answer {
        let request = format!("{} {:?}", R::PATH, self.request);
        self.await.unwrap_or_else(|status| panic!("{request}\n  was refused: {status:?}"))
    }

    /// The refusal of a call that must be refused for this reason.
    pub async fn refused(self, code: Code, reason: &str) -> Refused {
        let request = format!("{} {:?}", R::PATH, self.request);
        match self.await {
            Ok(answer) => panic!("{request}\n  should be refused with {reason} and was answered {answer:?}"),
            Err(status) => Refused::new(request, status, code, reason),
        }
    }

    async fn send(self) -> Result<R::Answer, Status> {
        let principal = self.principal.clone();
        let mut messages = self.open().await?;
        let first = messages.message().await?;
        let first = first.ok_or_else(|| Status::unknown(format!("{principal} got no answer")))?;
        // A message before the end of an answer is none.
        if !R::STREAMS {
            messages.trailers().await?;
        }
        Ok(first)
    }

    /// The messages of the answer.
    pub async fn open(self) -> Result<Streaming<R::Answer>, Status> {
        let mut client = tonic::client::Grpc::new(self.channel);
        client.ready().await.map_err(|error| Status::unavailable(format!("the service is gone: {error}")))?;
        let mut request = Request::new(self.request);
        if !self.principal.is_empty() {
            request.metadata_mut().insert("x-principal", self.principal.parse().expect("principals here are ASCII"));
        }
        if let Some(token) = self.token {
            let bearer = format!("Bearer {token}").parse().expect("tokens are ASCII");
            request.metadata_mut().insert("authorization", bearer);
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        if let Some(traceparent) = self.traceparent {
            request.metadata_mut().insert("traceparent", traceparent.parse().expect("it is ASCII"));
        }
        let codec = tonic_prost::ProstCodec::<R, R::Answer>::default();
        let answer = client.server_streaming(request, PathAndQuery::from_static(R::PATH), codec).await?;
        Ok(answer.into_inner())
    }
}

impl<R: Rpc> Call<R> {
    /// Sends it without waiting for the answer.
    pub fn start(self) -> JoinHandle<Result<R::Answer, Status>> {
        tokio::spawn(self.into_future())
    }
}

/// How a method is refused that does not exist.
pub async fn call_unknown(channel: Channel, path: &'static str) -> Status {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("the service is there");
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let called = client.unary(Request::new(()), PathAndQuery::from_static(path), codec);
    called.await.expect_err("no such method exists")
}

/// Sends calls all at once; the answers in their order.
pub async fn together<R: Rpc>(calls: impl IntoIterator<Item = Call<R>>) -> Vec<Result<R::Answer, Status>> {
    let started: Vec<_> = calls.into_iter().map(Call::start).collect();
    let mut answers = Vec::with_capacity(started.len());
    for call in started {
        answers.push(call.await.expect("a call does not panic"));
    }
    answers
}

impl<R: Mutation> Call<R> {
    /// Sends it under this request id: again and again it is the same intention.
    pub fn id(self, id: impl ToString) -> Self {
        self.with(|request| *request.request_id() = id.to_string())
    }
}

impl<R: Rpc> IntoFuture for Call<R> {
    type Output = Result<R::Answer, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Rpc for CreatePurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CreatePurchaseOrder";
    type Answer = CreatePurchaseOrderResponse;
}

impl Rpc for GetPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/GetPurchaseOrder";
    type Answer = GetPurchaseOrderResponse;
}

impl Rpc for ListPurchaseOrdersRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ListPurchaseOrders";
    type Answer = ListPurchaseOrdersResponse;
}

impl Rpc for CopyPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CopyPurchaseOrder";
    type Answer = CopyPurchaseOrderResponse;
}

impl Rpc for PlacePurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/PlacePurchaseOrder";
    type Answer = PlacePurchaseOrderResponse;
}

impl Rpc for ReceivePurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ReceivePurchaseOrder";
    type Answer = ReceivePurchaseOrderResponse;
}

impl Rpc for ReceiveDeliveryRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ReceiveDelivery";
    type Answer = ReceiveDeliveryResponse;
}

impl Rpc for FindReceivableRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/FindReceivable";
    type Answer = FindReceivableResponse;
}

impl Rpc for ListOutstandingLinesRequest {
    const PATH: &'static str = "/purchasing.v1.ReportService/ListOutstandingLines";
    type Answer = ListOutstandingLinesResponse;
}

impl Rpc for VoidReceiptRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/VoidReceipt";
    type Answer = VoidReceiptResponse;
}

impl Rpc for CorrectReceiptRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CorrectReceipt";
    type Answer = CorrectReceiptResponse;
}

impl Rpc for AmendPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/AmendPurchaseOrder";
    type Answer = AmendPurchaseOrderResponse;
}

impl Rpc for ConfirmPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ConfirmPurchaseOrder";
    type Answer = ConfirmPurchaseOrderResponse;
}

impl Rpc for CancelPurchaseOrderLinesRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CancelPurchaseOrderLines";
    type Answer = CancelPurchaseOrderLinesResponse;
}

impl Rpc for ReopenPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ReopenPurchaseOrder";
    type Answer = ReopenPurchaseOrderResponse;
}

impl Rpc for PreviewCompletionRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/PreviewCompletion";
    type Answer = PreviewCompletionResponse;
}

impl Rpc for CompletePurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CompletePurchaseOrder";
    type Answer = CompletePurchaseOrderResponse;
}

impl Rpc for CancelPurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/CancelPurchaseOrder";
    type Answer = CancelPurchaseOrderResponse;
}

impl Rpc for GetBackOrderChainRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/GetBackOrderChain";
    type Answer = GetBackOrderChainResponse;
}

impl Rpc for GetSupplierPerformanceRequest {
    const PATH: &'static str = "/purchasing.v1.ReportService/GetSupplierPerformance";
    type Answer = GetSupplierPerformanceResponse;
}

impl Rpc for ListPurchaseOrderHistoryRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ListPurchaseOrderHistory";
    type Answer = ListPurchaseOrderHistoryResponse;
}

impl Rpc for ListEventsRequest {
    const PATH: &'static str = "/purchasing.v1.EventService/ListEvents";
    type Answer = ListEventsResponse;
}

impl Rpc for WatchEventsRequest {
    const PATH: &'static str = "/purchasing.v1.EventService/WatchEvents";
    const STREAMS: bool = true;
    type Answer = WatchEventsResponse;
}

impl Rpc for GetInventoryLevelRequest {
    const PATH: &'static str = "/purchasing.v1.InventoryService/GetInventoryLevel";
    type Answer = GetInventoryLevelResponse;
}

impl Rpc for AdjustInventoryRequest {
    const PATH: &'static str = "/purchasing.v1.InventoryService/AdjustInventory";
    type Answer = AdjustInventoryResponse;
}

impl Rpc for ListInventoryLotsRequest {
    const PATH: &'static str = "/purchasing.v1.InventoryService/ListInventoryLots";
    type Answer = ListInventoryLotsResponse;
}

impl Rpc for ListStockMovementsRequest {
    const PATH: &'static str = "/purchasing.v1.InventoryService/ListStockMovements";
    type Answer = ListStockMovementsResponse;
}

impl Rpc for CreateStoreRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/CreateStore";
    type Answer = CreateStoreResponse;
}

impl Rpc for GetStoreRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/GetStore";
    type Answer = GetStoreResponse;
}

impl Rpc for ListStoresRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/ListStores";
    type Answer = ListStoresResponse;
}

impl Rpc for EnableBackOrdersRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/EnableBackOrders";
    type Answer = EnableBackOrdersResponse;
}

impl Rpc for DisableBackOrdersRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/DisableBackOrders";
    type Answer = DisableBackOrdersResponse;
}

impl Rpc for CreateRoleRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/CreateRole";
    type Answer = CreateRoleResponse;
}

impl Rpc for ListRolesRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/ListRoles";
    type Answer = ListRolesResponse;
}

impl Rpc for GrantRoleRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/GrantRole";
    type Answer = GrantRoleResponse;
}

impl Rpc for RevokeRoleRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/RevokeRole";
    type Answer = RevokeRoleResponse;
}

impl Rpc for ListGrantsRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/ListGrants";
    type Answer = ListGrantsResponse;
}

impl Rpc for UpdatePurchaseOrderRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/UpdatePurchaseOrder";
    type Answer = UpdatePurchaseOrderResponse;
}

impl Rpc for ListPurchaseOrderLinesRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ListPurchaseOrderLines";
    type Answer = ListPurchaseOrderLinesResponse;
}

impl Rpc for GetReceiptRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/GetReceipt";
    type Answer = GetReceiptResponse;
}

impl Rpc for ListReceiptsRequest {
    const PATH: &'static str = "/purchasing.v1.PurchaseOrderService/ListReceipts";
    type Answer = ListReceiptsResponse;
}

impl Rpc for ListInventoryLevelsRequest {
    const PATH: &'static str = "/purchasing.v1.InventoryService/ListInventoryLevels";
    type Answer = ListInventoryLevelsResponse;
}

impl Rpc for UpdateStoreRequest {
    const PATH: &'static str = "/purchasing.v1.StoreService/UpdateStore";
    type Answer = UpdateStoreResponse;
}

impl Rpc for UpdateRoleRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/UpdateRole";
    type Answer = UpdateRoleResponse;
}

impl Rpc for DeleteRoleRequest {
    const PATH: &'static str = "/purchasing.v1.AccessService/DeleteRole";
    type Answer = DeleteRoleResponse;
}

impl Mutation for CreatePurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CopyPurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for PlacePurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for ReceivePurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for ReceiveDeliveryRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for VoidReceiptRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CorrectReceiptRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for AmendPurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for ConfirmPurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CancelPurchaseOrderLinesRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for ReopenPurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CompletePurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CancelPurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for AdjustInventoryRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CreateStoreRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for EnableBackOrdersRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for DisableBackOrdersRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for CreateRoleRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for GrantRoleRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for RevokeRoleRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for UpdatePurchaseOrderRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for UpdateStoreRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for UpdateRoleRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

impl Mutation for DeleteRoleRequest {
    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}
