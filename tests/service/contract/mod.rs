//! The contract, rpc by rpc: for each one story over real gRPC, on both databases, with as many
//! refusals as successes, held against the reasons that the contract's comments document.

mod documented;
mod story;

mod adjusting;
mod amending;
mod cancelling_lines;
mod completing;
mod copying;
mod correcting;
mod delivering;
mod drafting;
mod finding;
mod following;
mod giving_up;
mod grants;
mod inventory;
mod orders;
mod outstanding;
mod receipts;
mod receiving;
mod reopening;
mod reporting;
mod roles;
mod stores;
mod tokens;
mod updating;
mod walk;
