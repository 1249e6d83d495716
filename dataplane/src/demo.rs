//! What `routing demo` adds to a data plane and a brain: stand-in models and example outcomes.

pub mod examples;
pub mod stand_in;
