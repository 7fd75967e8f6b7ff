//! Who calls: tokens and certificates, good and bad, and their turning over while the service runs.

mod certificates;
mod discovery;
mod issuer;
mod leaks;
mod matrix;
mod rotation;
pub mod secured;
mod tokens;
