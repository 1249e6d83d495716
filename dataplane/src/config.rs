//! The running config: where it is read from, how it is built, and how changes take effect.
//!
//! ```text
//! source (file or environment) ─▶ candidate (parsed, compiled) ─┬▶ active (with secrets and clients) ─▶ ArcSwap
//! watch (file events, every 5 s) ─▶ reload ─────────────────────┘
//! ```

pub mod active;
pub mod candidate;
pub mod reader;
pub mod reload;
mod watch;

pub use active::Active;
pub use candidate::{Candidate, PolicyRefusal, PolicySource};
pub use reload::{Config, StartError};
pub use watch::follow;
