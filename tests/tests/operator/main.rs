//! The operator against a real API server, as its own ServiceAccount.

mod at_rest;
mod brain;
mod brain_samples;
mod conflicts;
mod crd;
mod drift;
mod hostile;
mod isolation;
mod lease;
mod lifecycle;
mod managed;
mod own_plane;
mod pods;
mod restrictions;
mod upstreams;
