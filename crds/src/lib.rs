//! The `RoutingPolicy` resource: its types, defaults, validation, and compilation into a routing table.
//!
//! The same YAML document is applied to a cluster, rendered into a ConfigMap, and read from a laptop's disk.
//! Everything here is a plain function over plain values (no client, no runtime, no file access), so that the three
//! cannot disagree.
//!
//! ```text
//! text ─▶ document ─▶ policy ─▶ references ─▶ compile (validates) ─▶ table
//! ```

#![forbid(unsafe_code)]

pub mod answer_check;
pub mod apart;
pub mod arguments;
pub mod builtin;
pub mod compile;
pub mod decimal;
pub mod definition;
pub mod depth;
pub mod dns_label;
pub mod document;
pub mod field_error;
pub mod hash;
pub mod interval;
pub mod managed;
pub mod nearest;
pub mod period;
pub mod pod;
pub mod policy;
pub mod references;
mod scalar;
pub mod shown;
pub mod table;
pub mod template;
pub mod usage;
pub mod usd;
pub mod variables;
pub mod version;

pub use compile::compile;
pub use definition::definition;
pub use document::{Document, DocumentError};
pub use field_error::{FieldError, FieldErrors};
pub use policy::{RoutingPolicy, RoutingPolicySpec};
pub use table::RoutingTable;
pub use version::VERSION;
