//! The kernel's record of connections: the output of `conntrack -L -o extended` and of `conntrack -E -o extended`.

use std::net::{IpAddr, SocketAddr};

use crate::network_policy::{Connection, Protocol};

/// A connection that the kernel tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The packets of the caller, with the addresses that it used.
    pub original: Tuple,
    /// The packets of the answer, with the addresses that the called side sees.
    pub reply: Tuple,
    /// Whether an answer was seen.
    pub is_answered: bool,
}

/// Packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Address and port of the sender.
    pub source: SocketAddr,
    /// Address and port of the receiver.
    pub destination: SocketAddr,
}

impl Tracked {
    /// As NetworkPolicies see it: from the caller, to the address that replaced the address of a Service or a node.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let Self { protocol, original, reply, is_answered: _ } = self;
        Connection { from: original.source.ip(), to: reply.source.ip(), protocol: *protocol, port: reply.source.port() }
    }
}

/// Parses the output, one connection a line. Skips protocols without ports: NetworkPolicies do not cover them.
///
/// # Errors
/// If a line does not have this form.
pub fn parse(output: &str) -> Result<Vec<Tracked>, String> {
    let lines = output.lines().filter(|line| !line.trim().is_empty());
    lines
        .filter_map(|line| parse_line(line).ok_or_else(|| format!("not a line of conntrack: {line}")).transpose())
        .collect()
}

/// `ipv4 2 tcp 6 119 TIME_WAIT src=… dst=… sport=… dport=… src=… …`; events have `[NEW]` or the like before it.
/// `None`: the line has another form; `Some(None)`: another protocol.
fn parse_line(line: &str) -> Option<Option<Tracked>> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with('['));
    let (family, protocol) = (words.next()?, words.nth(1)?);
    if !matches!(family, "ipv4" | "ipv6") {
        return None;
    }
    let Ok(protocol) = protocol.parse() else { return Some(None) };
    let is_answered = !line.contains("[UNREPLIED]");
    let mut tuples = Tuples(words.filter_map(|word| word.split_once('=')).collect());
    let (original, reply) = (tuples.next()?, tuples.next()?);
    Some(Some(Tracked { protocol, original, reply, is_answered }))
}

/// The fields of a line; each of the two directions has the same four, in this order, besides counts.
struct Tuples<'a>(Vec<(&'a str, &'a str)>);

impl Tuples<'_> {
    fn next(&mut self) -> Option<Tuple> {
        let (source, destination): (IpAddr, IpAddr) =
            (self.take("src")?.parse().ok()?, self.take("dst")?.parse().ok()?);
        let (from, to) = (self.take("sport")?.parse().ok()?, self.take("dport")?.parse().ok()?);
        Some(Tuple { source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(field, _)| *field == name)?;
        Some(self.0.remove(at).1.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real lines: through a Service, pod to pod, DNS, through a node's port, IPv6, with counts.
    const LIST: &str = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.244.0.7 dst=10.96.0.20 sport=42761 dport=3300 \
    src=10.244.0.9 dst=10.244.0.7 sport=3300 dport=42761 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 59 CLOSE_WAIT src=10.244.0.7 dst=10.244.0.9 sport=53813 dport=3300 \
    src=10.244.0.9 dst=10.244.0.7 sport=3300 dport=53813 [ASSURED] mark=0 use=1
ipv4     2 udp      17 29 src=10.244.0.7 dst=10.96.0.10 sport=37040 dport=53 \
    src=10.244.0.9 dst=10.244.0.7 sport=53 dport=37040 mark=0 use=1
ipv4     2 tcp      6 119 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=41446 dport=30330 \
    src=10.244.0.9 dst=10.244.0.1 sport=3300 dport=41446 [ASSURED] mark=0 use=1
ipv6     10 tcp      6 431999 ESTABLISHED src=fd00::7 dst=fd00::9 sport=33783 dport=3300 \
    src=fd00::9 dst=fd00::7 sport=3300 dport=33783 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 431999 ESTABLISHED src=10.244.0.7 dst=10.244.0.9 sport=49393 dport=3300 packets=3 bytes=165 \
    src=10.244.0.9 dst=10.244.0.7 sport=3300 dport=49393 packets=2 bytes=112 [ASSURED] mark=0 use=1 id=4192147391
";

    fn shown(output: &str) -> Vec<String> {
        parse(output).expect("conntrack output").iter().map(|tracked| tracked.connection().to_string()).collect()
    }

    #[test]
    fn a_connection_goes_to_the_address_that_answers() {
        let expected = [
            "10.244.0.7 → 10.244.0.9 TCP 3300",
            "10.244.0.7 → 10.244.0.9 TCP 3300",
            "10.244.0.7 → 10.244.0.9 UDP 53",
            "127.0.0.1 → 10.244.0.9 TCP 3300",
            "fd00::7 → fd00::9 TCP 3300",
            "10.244.0.7 → 10.244.0.9 TCP 3300",
        ];
        assert_eq!(shown(LIST), expected);
        let through_a_service = &parse(LIST).expect("conntrack output")[0];
        assert_eq!(through_a_service.original.destination.to_string(), "10.96.0.20:3300");
        assert_eq!(through_a_service.original.source.to_string(), "10.244.0.7:42761");
        let through_a_node = &parse(LIST).expect("conntrack output")[3];
        assert_eq!(through_a_node.original.destination.to_string(), "127.0.0.1:30330");
        assert_eq!(through_a_node.reply.destination.to_string(), "10.244.0.1:41446", "as the pod sees the caller");
    }

    #[test]
    fn the_event_type_before_a_line_is_skipped() {
        let events = "    [NEW] ipv4     2 tcp      6 120 SYN_SENT \
            src=10.244.0.9 dst=10.244.0.9 sport=43690 dport=4999 [UNREPLIED] \
            src=10.244.0.9 dst=10.244.0.9 sport=4999 dport=43690
 [UPDATE] ipv4     2 tcp      6 60 SYN_RECV src=127.0.0.1 dst=127.0.0.1 sport=41446 dport=30330 \
    src=10.244.0.9 dst=10.244.0.1 sport=3300 dport=41446
[DESTROY] ipv4     2 tcp      6 119 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=41446 dport=30330 \
    src=10.244.0.9 dst=10.244.0.1 sport=3300 dport=41446 [ASSURED] [USERSPACE] portid=3092190844";
        let expected =
            ["10.244.0.9 → 10.244.0.9 TCP 4999", "127.0.0.1 → 10.244.0.9 TCP 3300", "127.0.0.1 → 10.244.0.9 TCP 3300"];
        assert_eq!(shown(events), expected);
        let answered: Vec<bool> = parse(events).expect("conntrack output").iter().map(|t| t.is_answered).collect();
        assert_eq!(answered, [false, true, true]);
    }

    #[test]
    fn other_protocols_are_skipped_and_malformed_lines_are_refused() {
        let icmp = "ipv4     2 icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 \
            src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 mark=0 use=1";
        assert_eq!(shown(icmp), Vec::<String>::new());
        assert_eq!(shown("\n"), Vec::<String>::new());
        for bad in [
            "conntrack v1.4.7 (conntrack-tools): 6 flow entries have been shown.",
            "ipv4     2 tcp      6 59 CLOSE_WAIT src=10.244.0.7 dst=10.244.0.9 sport=53813 dport=3300 [ASSURED]",
            "ipv4     2 tcp      6 59 CLOSE_WAIT src=10.244.0.7 dst=nowhere sport=1 dport=2 \
                src=10.244.0.9 dst=10.244.0.7 sport=2 dport=1",
            "ipv4     2 tcp      6 59 CLOSE_WAIT src=10.244.0.7 dst=10.244.0.9 sport=1 dport=70000 \
                src=10.244.0.9 dst=10.244.0.7 sport=2 dport=1",
            "ipv4",
        ] {
            let error = parse(&format!("{LIST}{bad}\n")).expect_err(bad);
            assert_eq!(error, format!("not a line of conntrack: {bad}"));
        }
    }
}
