//! Trust in one authority that is known by its fingerprint alone: what a server prints at its start, and a person carries
//! over.
//!
//! The server has to send the authority's certificate with its own. Nothing else is trusted then, not even the web's
//! authorities, and path validation is the platform's ([`path`]).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crypto::hash::sha256;
use crypto::x509::{Certificate, Purpose};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;

use crate::frame::{Framed, Judge, Shown};
use crate::path::{self, Expectation, MAX_INTERMEDIATES, Trust};
use crate::provider;
use crate::whom::Host;
use crate::{Connector, Error};

/// SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

/// Text that is no fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a fingerprint is sha256: and 64 hexadecimal digits")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// Of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(sha256(&[certificate]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// Colons between the bytes are read too: OpenSSL prints them.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(NotAFingerprint)?.replace(':', "");
        let is_hexadecimal = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotAFingerprint)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAFingerprint)?;
        }
        if is_hexadecimal { Ok(Self(bytes)) } else { Err(NotAFingerprint) }
    }
}

/// A connector that trusts one authority, for `https` addresses, and for `http` ones as far as its user lets it.
pub fn connector(authority: Fingerprint) -> Result<Connector, Error> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider::mesh()))
        .with_protocol_versions(&[&TLS13])
        .map_err(Error::Protocol)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Framed(Pinned(authority))))
        .with_no_client_auth();
    Ok(hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

struct Pinned(Fingerprint);

impl Judge for Pinned {
    fn judge(&self, shown: &Shown<'_>) -> Result<(), rustls::Error> {
        let read = |der: &CertificateDer<'_>| Certificate::parse(der).map_err(|_| CertificateError::BadEncoding);
        let sent = shown.others.iter().take(MAX_INTERMEDIATES).map(read).collect::<Result<Vec<_>, _>>()?;
        let (anchors, others): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|certificate| Fingerprint::of(certificate.der()) == self.0);
        if anchors.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        let names = shown.name.map(|name| Host::from(name).name()).into_iter().collect();
        let expected = Expectation { names, ..Expectation::peer(Purpose::ServerAuth) };
        path::verify(&read(shown.leaf)?, &others, &Trust { anchors, ..Trust::default() }, &expected, shown.now)
            .map_err(|refusal| CertificateError::Other(rustls::OtherError(Arc::new(refusal))))?;
        Ok(())
    }
}

const PREFIX: &str = "sha256:";

#[cfg(test)]
mod tests {
    use crypto::algorithm::Algorithm;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;
    use crate::fixture::{Authority, DAY, Leaf, now};

    fn judge(pin: Fingerprint, leaf: &Leaf<'_>, issuer: &Authority, sent: &[&Authority], name: &str) -> bool {
        let (_, credentials) = issuer.issue(leaf);
        let end_entity = CertificateDer::from(credentials.chain().next().unwrap().to_vec());
        let sent: Vec<_> = sent.iter().map(|sent| CertificateDer::from(sent.certificate.clone())).collect();
        let name = ServerName::try_from(name).unwrap();
        Framed(Pinned(pin)).verify_server_cert(&end_entity, &sent, &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn only_what_the_pinned_authority_issued_is_accepted() {
        let (ours, other) = (Authority::new(Algorithm::MlDsa65), Authority::new(Algorithm::MlDsa65));
        let classical = Authority::new(Algorithm::EcdsaP256);
        let pin = Fingerprint::of(&ours.certificate);
        let names = ["DNS:vault.example"];
        let leaf = || Leaf::of(&names);
        let ended = Leaf { not_before: now() - DAY, not_after: now() - 1, ..leaf() };
        assert!(judge(pin, &leaf(), &ours, &[&ours], "vault.example"));
        assert!(judge(pin, &leaf(), &ours, &[&other, &ours], "vault.example"));
        assert!(!judge(pin, &leaf(), &ours, &[], "vault.example"), "without the authority");
        assert!(!judge(pin, &leaf(), &ours, &[&ours], "other.example"), "of another name");
        assert!(!judge(pin, &ended, &ours, &[&ours], "vault.example"), "expired");
        assert!(!judge(pin, &leaf(), &other, &[&ours], "vault.example"), "issued by another, beside the pinned one");
        assert!(!judge(pin, &leaf(), &other, &[&other], "vault.example"), "another authority");
        let pin = Fingerprint::of(&classical.certificate);
        assert!(!judge(pin, &leaf(), &classical, &[&classical], "vault.example"), "a classical authority");
    }

    #[test]
    fn a_fingerprint_reads_as_it_is_printed() {
        let pin = Fingerprint::of(b"certificate");
        let text = pin.to_string();
        assert_eq!((text.len(), text.parse()), (71, Ok(pin)));
        let digits = text.strip_prefix("sha256:").unwrap();
        let pairs: Vec<&str> = (0..32).map(|at| &digits[2 * at..2 * at + 2]).collect();
        assert_eq!(format!("sha256:{}", pairs.join(":").to_uppercase()).parse(), Ok(pin));
        for wrong in [
            "",
            digits,
            "sha256:",
            &text[..70],
            &format!("{text}00"),
            "sha1:00",
            &text.replace(&text[60..], "+1+1+1+1+1+"),
        ] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
