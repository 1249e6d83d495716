//! Listens on one address, or on every address of this machine.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on an address; none: on every address, of IPv6 and IPv4 where there is IPv6, otherwise of IPv4.
///
/// # Errors
/// The port is taken or not allowed; the address is not one of this machine.
pub fn listen(bind: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match bind {
        Some(address) => on(SocketAddr::new(address, port)),
        None => match on(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(error) if is_without_ipv6(&error) => on(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            listening => listening,
        },
    }
}

/// What waits to be accepted; nothing is listened on afterwards.
pub(super) fn accepted(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return vec![] };
    // Without waiting: Tokio's listeners are never blocking. The first error says that there is nothing more.
    let waiting = std::iter::from_fn(|| listener.accept().ok()).take(BACKLOG as usize);
    let usable = waiting.filter_map(|(socket, peer)| {
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, peer))
    });
    usable.collect()
}

/// The kernel has no IPv6, or it is turned off.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if address.is_ipv6() {
        // `::` takes IPv4 connections, too, whatever the system's default.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // A restart need not wait until the connections of the last run are forgotten.
    socket.set_reuseaddr(true)?;
    // Its connections inherit it: without, the second part of a streamed answer waits until the peer has acknowledged the
    // first, 40 ms.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_an_address_it_listens_on_ipv4_and_where_it_exists_on_ipv6() {
        let listener = listen(None, 0).expect("listens");
        let port = listener.local_addr().expect("an address").port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("IPv4");
        let ipv6_exists = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        assert_eq!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok(), ipv6_exists);
    }

    #[tokio::test]
    async fn what_is_sent_in_parts_waits_for_no_acknowledgement() {
        let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("listens");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (socket, _) = accepted.expect("a connection");
        assert!(client.is_ok() && socket.nodelay().expect("an option"));
    }

    #[tokio::test]
    async fn an_address_that_is_set_is_the_only_one() {
        let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("listens");
        let port = listener.local_addr().expect("an address").port();
        assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_err());
        assert!(listen(Some(Ipv4Addr::LOCALHOST.into()), port).is_err(), "it is taken");
    }
}
