//! The operator against a real API server, as its own ServiceAccount.

mod conflicts;
mod crd;
mod pods;
