//! A revocation list: read and looked through, whatever it is.
#![no_main]

use crypto::x509::Crl;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = Crl::parse(bytes) {
        let listed = list.revoked().iter().all(|entry| list.entry(&entry.serial_number).is_some());
        assert!(listed);
    }
});
