//! A certificate: read, shown and judged by itself, whatever it is.
#![no_main]

use crypto::x509::Certificate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::parse(bytes) {
        let _ = (certificate.subject().to_string(), certificate.issuer().to_string(), certificate.to_pem());
        for name in certificate.alt_names() {
            let _ = (name.to_string(), name.as_alt_name());
        }
        let _ = tls::path::breaches(&certificate);
        assert_eq!(certificate.der(), bytes);
    }
});
