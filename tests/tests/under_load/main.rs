//! Calls while the config changes all the time, while the server is stopped, and when there are far too many of them; and
//! callers who open, reset, abandon and flood connections by the thousand.

mod half_closed;
mod http2;
mod idle;
mod notifications;
mod reload;
mod replicas;
mod resets;
mod shutdown;
mod storm;
mod throttled;
mod unread;
