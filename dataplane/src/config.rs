//! The running config: where it is read from, how it is built, and how changes take effect.
//!
//! ```text
//! source (file or environment) ─▶ candidate (parsed, compiled) ─┬▶ active (with secrets and clients) ─▶ ArcSwap
//! watch (file events, every 5 s) ─▶ reload ─────────────────────┘
//! probe (every 60 s, and after a reload) ─▶ what is known about the endpoints of `active`
//! ```

pub mod active;
pub mod candidate;
mod probe;
pub mod reader;
pub mod reload;
mod watch;

pub use active::Active;
pub use candidate::{Candidate, PolicyRefusal, PolicySource};
pub use probe::probe;
pub use reload::{Config, StartError};
pub use watch::follow;
