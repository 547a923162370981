//! Whose address a request comes from when a proxy stands in front (RFC 7239, and `X-Forwarded-For` as proxies write it).
//!
//! A header is only a claim of whoever sent it. So the chain of addresses is walked from the right, where the nearest
//! proxy wrote, as far as the claims come from proxies that the configuration trusts: the first address that is none of
//! theirs is the client's, whatever stands left of it. One header is read, the one the proxies write; the other is the
//! client's own, who could say anything in it.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::config::{ForwardedHeader, HttpSection};

/// What a trusted proxy sent cannot be read: then nobody knows whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Proxies of ours, and the header in which they say whom they speak for.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    header: ForwardedHeader,
}

impl From<&HttpSection> for Proxies {
    fn from(section: &HttpSection) -> Self {
        Self { networks: section.trusted_proxies.clone(), header: section.forwarded_header }
    }
}

impl Proxies {
    /// The client's address, of a request that `peer` sent.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Unreadable> {
        let mut nearest = peer.to_canonical();
        if !self.trusts(nearest) {
            return Ok(nearest);
        }
        for line in headers.get_all(self.header.name()).iter().rev() {
            let line = line.to_str().map_err(|_| Unreadable)?;
            let entries = match self.header {
                ForwardedHeader::XForwardedFor => line.split(',').map(str::trim).collect(),
                ForwardedHeader::Forwarded => outside_quotes(line, ',').ok_or(Unreadable)?,
            };
            for entry in entries.into_iter().rev().filter(|entry| !entry.is_empty()) {
                nearest = self.address(entry).ok_or(Unreadable)?;
                if !self.trusts(nearest) {
                    return Ok(nearest);
                }
            }
        }
        Ok(nearest)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn address(&self, entry: &str) -> Option<IpAddr> {
        match self.header {
            ForwardedHeader::XForwardedFor => node(entry),
            ForwardedHeader::Forwarded => {
                let mut named = outside_quotes(entry, ';')?.into_iter().filter_map(|pair| pair.split_once('='));
                let (_, value) = named.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
                node(value.strip_prefix('"').map_or(Some(value), |value| value.strip_suffix('"'))?)
            }
        }
    }
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. What hides it
/// (`unknown`, `_name`) is none.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|text| text.parse().ok());
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// The parts between separators that stand outside quoted strings; none when a quoted string does not end, because then
/// it cannot be told who wrote what.
fn outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|letter| {
        let ends_or_begins = letter == '"' && !escaped;
        escaped = quoted && !escaped && letter == '\\';
        quoted ^= ends_or_begins;
        letter == separator && !quoted
    });
    let parts = parts.map(str::trim).collect();
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec();
        let proxies = Proxies { networks, header };
        proxies.client(peer.parse().unwrap(), &headers).ok().map(|address| address.to_string())
    }

    #[test]
    fn the_rightmost_address_that_no_proxy_of_ours_has_is_the_clients() {
        for (peer, lines, found) in [
            // Nobody who is not trusted is believed.
            ("192.0.2.1", &["203.0.113.9"][..], Some("192.0.2.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], Some("203.0.113.9")),
            // What the client wrote itself stands left of what the proxy wrote.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["10.9.9.9, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["nonsense\"; , 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["198.51.100.7", "203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            // Two proxies of ours, one behind the other.
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            ("fd00::1", &["2001:db8::5, fd00::2"], Some("2001:db8::5")),
            // Somebody within the proxies' networks.
            ("10.0.0.1", &["10.0.0.7"], Some("10.0.0.7")),
            ("10.0.0.1", &["203.0.113.9:4711"], Some("203.0.113.9")),
            ("10.0.0.1", &["[2001:db8::5]:4711"], Some("2001:db8::5")),
            ("10.0.0.1", &["[2001:db8::5]"], Some("2001:db8::5")),
            // The proxy itself says nothing that can be read: nobody knows whose request it is.
            ("10.0.0.1", &["203.0.113.9, unknown"], None),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2, _hidden"], None),
            ("10.0.0.1", &["203.0.113.9 203.0.113.8"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(client(ForwardedHeader::XForwardedFor, peer, &lines).as_deref(), found, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        for (lines, found) in [
            (&["for=203.0.113.9"][..], Some("203.0.113.9")),
            (&["For=\"[2001:db8:cafe::17]:4711\";proto=https;by=10.0.0.1"], Some("2001:db8:cafe::17")),
            (&["proto=https; for=203.0.113.9 ; host=\"a,b;for=127.0.0.1\""], Some("203.0.113.9")),
            (&["for=127.0.0.1, for=203.0.113.9, for=10.0.0.2"], Some("203.0.113.9")),
            (&["for=127.0.0.1", "for=203.0.113.9"], Some("203.0.113.9")),
            // A quoted string that does not end would swallow what the proxy wrote.
            (&["for=\"127.0.0.1, for=203.0.113.9"], None),
            (&["for=\"127.0.0.1\\\", for=203.0.113.9\", by=\"x"], None),
            (&["for=unknown"], None),
            (&["proto=https"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
            assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &lines).as_deref(), found, "{lines:?}");
        }
    }

    #[test]
    fn the_header_that_the_proxies_do_not_write_is_the_clients_own() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=127.0.0.1"), ("x-real-ip", "127.0.0.2")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines).as_deref(), Some("203.0.113.9"));
        assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &lines).as_deref(), Some("127.0.0.1"));
    }
}
