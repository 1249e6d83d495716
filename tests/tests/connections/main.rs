//! Callers who open, reset, abandon and flood connections by the thousand.

mod half_closed;
mod http2;
mod idle;
mod notifications;
mod resets;
mod unread;
