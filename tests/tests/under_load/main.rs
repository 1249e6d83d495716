//! Calls while the config changes all the time, while the server is stopped, and when there are far too many of them.

mod changes;
mod early_signal;
mod reload;
mod replicas;
mod shutdown;
mod storm;
mod throttled;
