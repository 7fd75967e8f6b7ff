//! Sending again, for every rpc of the contract by one table: a request id has one effect and one
//! answer, an etag holds while its order stands still. A mutation that is not in the table fails.

mod contents;
mod contract;
mod etags;
mod identity;
mod instances;
mod repeating;
mod row;
mod stage;
mod table;
