//! Every limit of the contract just below, at and just above it, and every field of every request with
//! what does not belong there: on both databases, over real gRPC.

mod accepted;
mod answers;
mod bases;
mod capped;
mod corrupt;
mod counts;
mod edges;
mod levels;
mod malformed;
mod rules;
mod times;
