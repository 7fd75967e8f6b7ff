//! ReportService: what is outstanding, and figures over many orders.

mod outstanding_lines;
mod supplier_performance;

use tonic::{Request, Response, Status};

use super::Service;
use crate::proto::v1;
use crate::proto::v1::report_service_server::ReportService;

#[tonic::async_trait]
impl ReportService for Service {
    async fn get_supplier_performance(
        &self,
        request: Request<v1::GetSupplierPerformanceRequest>,
    ) -> Result<Response<v1::GetSupplierPerformanceResponse>, Status> {
        supplier_performance::supplier_performance(&self.0, request).await
    }

    async fn list_outstanding_lines(
        &self,
        request: Request<v1::ListOutstandingLinesRequest>,
    ) -> Result<Response<v1::ListOutstandingLinesResponse>, Status> {
        outstanding_lines::list(&self.0, request).await
    }
}
