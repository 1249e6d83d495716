//! What happens to calls while the config changes all the time and while the server is stopped.

mod reload;
mod shutdown;
mod storm;
