//! What the service does, told as stories over real gRPC: each runs on both databases and ends with
//! the invariants of the whole database checked.

mod access;
mod amending;
mod back_orders;
mod cancelling;
mod completing;
mod deliveries;
mod discovery;
mod following;
mod gate;
mod grid;
mod history;
mod look_alikes;
mod lots;
mod ordering;
mod outstanding;
mod performance;
mod previewing;
mod reading;
mod receiving;
mod reopening;
mod replaying;
mod spreading;
