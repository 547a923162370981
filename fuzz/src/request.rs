//! A certification request, and the texts that names are asked for with.
#![no_main]

use crypto::x509::{AltName, DistinguishedName, SigningRequest};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = SigningRequest::parse(bytes).map(|request| request.subject().to_string());
    if let Ok(text) = std::str::from_utf8(bytes) {
        // What is shown reads back as the same, or a name could change on its way through a log or a form.
        if let Ok(name) = text.parse::<AltName>() {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        if let Ok(name) = text.parse::<DistinguishedName>() {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }
});
