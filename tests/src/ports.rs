//! Free ports below the kernel's range for outgoing connections, so that none is taken between being found free and
//! being listened on.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
/// Distance between the first ports of two processes with consecutive ids.
const STRIDE: u32 = 200;

/// A port of 127.0.0.1 that nothing listens on, for a program that will.
///
/// # Panics
/// If none is free.
#[must_use]
pub fn free() -> u16 {
    listener().local_addr().expect("an address").port()
}

/// A listener on a free port of 127.0.0.1.
///
/// # Panics
/// If none is free.
#[must_use]
pub fn listener() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from((std::process::id() * STRIDE) % u32::from(COUNT)).unwrap_or_default();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .expect("a free port")
}
