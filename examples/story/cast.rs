//! The people of the story, each with clients that call in their name.

use std::net::SocketAddr;

use purchase_order_service::auth::development::{OPERATOR, PRINCIPAL_HEADER};
use purchase_order_service::proto::v1::access_service_client::AccessServiceClient;
use purchase_order_service::proto::v1::inventory_service_client::InventoryServiceClient;
use purchase_order_service::proto::v1::purchase_order_service_client::PurchaseOrderServiceClient;
use purchase_order_service::proto::v1::store_service_client::StoreServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Told;

/// Who takes part.
pub struct Cast {
    /// Runs the platform.
    pub operator: Person,
    /// Owns the store.
    pub alice: Person,
    /// Receives deliveries and may not complete.
    pub bob: Person,
}

impl Cast {
    /// Everybody calls over one connection; who calls is told with each call.
    pub async fn connect(address: SocketAddr) -> Told<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
        let person = |name| Person { name, channel: channel.clone() };
        Ok(Self { operator: person(OPERATOR), alice: person("alice"), bob: person("bob") })
    }
}

/// Somebody who calls.
pub struct Person {
    name: &'static str,
    channel: Channel,
}

type Connection = InterceptedService<Channel, InTheNameOf>;

impl Person {
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn orders(&self) -> PurchaseOrderServiceClient<Connection> {
        PurchaseOrderServiceClient::with_interceptor(self.channel.clone(), InTheNameOf(self.name))
    }

    pub fn inventory(&self) -> InventoryServiceClient<Connection> {
        InventoryServiceClient::with_interceptor(self.channel.clone(), InTheNameOf(self.name))
    }

    pub fn stores(&self) -> StoreServiceClient<Connection> {
        StoreServiceClient::with_interceptor(self.channel.clone(), InTheNameOf(self.name))
    }

    pub fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::with_interceptor(self.channel.clone(), InTheNameOf(self.name))
    }
}

/// Adds the caller's name to each call, as development mode has it.
pub struct InTheNameOf(&'static str);

impl Interceptor for InTheNameOf {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(PRINCIPAL_HEADER, AsciiMetadataValue::from_static(self.0));
        Ok(request)
    }
}
