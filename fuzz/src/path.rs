//! A path: certificates each after its length in two bytes, first the one in question, then the anchor, then intermediates.
//! The judge has to come to a verdict.
#![no_main]

use crypto::x509::{Certificate, Purpose};
use tls::path::{Expectation, Floor, Name, Rigor, Trust, verify};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut certificates = split(bytes).filter_map(|der| Certificate::parse(der).ok());
    let (Some(leaf), Some(anchor)) = (certificates.next(), certificates.next()) else { return };
    let intermediates: Vec<_> = certificates.collect();
    let now = leaf.not_before();
    for rigor in [Rigor::Standard, Rigor::Pedantic] {
        let trust = Trust { anchors: vec![anchor.clone()], floor: Floor::DangerClassical, rigor, ..Trust::default() };
        let names = vec![Name::Dns("example.com".to_owned())];
        let expectation = Expectation { names, ..Expectation::peer(Purpose::ServerAuth) };
        let _ = verify(&leaf, &intermediates, &trust, &expectation, now);
    }
});

fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (element, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        bytes = rest;
        Some(element)
    })
}
