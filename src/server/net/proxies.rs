//! Where a request comes from that a proxy has passed on.

use std::net::{IpAddr, SocketAddr};

use crate::wire::Network;

/// The networks of proxies whose word counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<Network>);

impl Proxies {
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self(networks.to_vec())
    }

    /// Whether what comes from this address is believed.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// The client of a request that came from `peer`, by the lines of its `X-Forwarded-For`.
    ///
    /// Each proxy writes at the right end whom it was asked by. So they are read from there, and
    /// the first who is no proxy of ours is the client: whatever stands further left is the
    /// client's own word. What is no address ends it too, for it cannot be told who wrote it and
    /// what stands before it; then the client is who was found last, a proxy that is ours.
    pub(crate) fn client<'h>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'h [u8]>,
    ) -> IpAddr {
        let mut client = peer;
        let words = lines.rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
        // An empty item of a list means nothing.
        for word in words.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty()) {
            if !self.trust(client) {
                break;
            }
            let Some(address) = address(word) else { break };
            client = address;
        }
        client
    }
}

/// An address as proxies write it: with a port or without, of IPv6 also in brackets.
fn address(word: &[u8]) -> Option<IpAddr> {
    let word = str::from_utf8(word).ok()?;
    let inner = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let address = match inner {
        Some(inner) => IpAddr::V6(inner.parse().ok()?),
        None => match word.parse() {
            Ok(address) => address,
            Err(_) => word.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.1";

    fn proxies() -> Proxies {
        Proxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, lines: &[&[u8]]) -> String {
        proxies().client(ip(peer), lines.iter().copied()).to_string()
    }

    #[test]
    fn the_first_from_the_right_who_is_no_proxy_of_ours_is_the_client() {
        for (lines, who) in [
            (&[][..], PEER),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2", "10.0.0.3,fd00::4"], "192.0.2.1"),
            (&["10.0.0.3", "192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1 , ,\t10.0.0.2 ,", ""], "192.0.2.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(client(PEER, &lines), who, "{lines:?}");
        }
    }

    #[test]
    fn a_peer_that_is_no_proxy_of_ours_speaks_for_itself() {
        assert_eq!(client("192.0.2.9", &[b"198.51.100.1"]), "192.0.2.9");
        let nobody = Proxies::default();
        assert_eq!(nobody.client(ip(PEER), [&b"198.51.100.1"[..]].into_iter()), ip(PEER));
    }

    #[test]
    fn what_is_no_address_ends_it_at_who_was_found_last() {
        for word in [
            "unknown",
            "_hidden",
            "example.org",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:99999",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]:4711",
            "fe80::1%eth0",
            "\"192.0.2.1\"",
            "for=192.0.2.1",
            "192.0.2.1;10.0.0.2",
        ] {
            assert_eq!(client(PEER, &[format!("198.51.100.1, {word}").as_bytes()]), PEER, "{word}");
            let behind = format!("198.51.100.1, {word}, 10.0.0.2");
            assert_eq!(client(PEER, &[behind.as_bytes()]), "10.0.0.2", "{word}");
        }
        assert_eq!(client(PEER, &[b"198.51.100.1, \xff"]), PEER);
    }

    /// Numbers without end, each time the same.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        }
    }

    /// Whatever a client sends, it cannot pretend to be another.
    #[test]
    fn what_the_client_writes_itself_changes_nothing() {
        let mut below = numbers();
        let pieces: [&[u8]; 12] = [
            b"10.0.0.7",
            b"192.0.2.7",
            b"fd00::7",
            b"[::1]",
            b",",
            b", ",
            b":",
            b"[",
            b"]",
            b"\xff",
            b"unknown",
            b" ",
        ];
        for _ in 0..20_000 {
            let forged: Vec<Vec<u8>> = (0..below(3))
                .map(|_| (0..below(8)).flat_map(|_| pieces[below(12)].to_vec()).collect())
                .collect();
            let chain: Vec<_> = (0..below(4)).map(|at| format!("10.0.{at}.1")).collect();
            let truth =
                ["203.0.113.5".to_owned()].iter().chain(&chain).cloned().collect::<Vec<_>>();
            let truth = truth.join(", ");
            // A proxy appends to the line that it got, or writes one of its own.
            let mut lines = forged.clone();
            match lines.last_mut().filter(|_| below(2) == 0) {
                Some(last) => last.extend(format!(",{truth}").into_bytes()),
                None => lines.push(truth.into_bytes()),
            }
            let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
            assert_eq!(client(PEER, &lines), "203.0.113.5", "{lines:?}");
        }
    }

    /// Whatever stands there, somebody is found who stands there, or the peer.
    #[test]
    fn garbage_makes_nobody_up() {
        let mut below = numbers();
        let alphabet = b"0123456789abcdef.:,[] %\xff/";
        for _ in 0..20_000 {
            let line: Vec<u8> = (0..below(40)).map(|_| alphabet[below(alphabet.len())]).collect();
            let found = proxies().client(ip(PEER), [&line[..]].into_iter());
            let stands = line
                .split(|&byte| byte == b',')
                .filter_map(|word| address(word.trim_ascii()))
                .any(|address| address == found);
            assert!(stands || found == ip(PEER), "{line:?}: {found}");
        }
    }
}
