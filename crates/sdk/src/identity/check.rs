//! Looking at our own certificate as a peer would: the same verifier, the same bundle, both sides of a connection.

use crypto::x509::{Certificate, Malformed, Purpose};
use tls::path::{self, Expectation, Refusal};

use super::bundle::Trusted;

/// What a peer would say of it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is malformed.
    #[error("a malformed certificate")]
    Malformed(#[source] Malformed),
    /// No path leads to an anchor, or one that does not hold.
    #[error("refused as {}", side(*.0))]
    Path(Purpose, #[source] Refusal),
}

/// Judges a certificate in DER at a time.
pub fn own(leaf: &[u8], trusted: &Trusted, at_s: i64) -> Result<(), Refused> {
    let leaf = Certificate::parse(leaf).map_err(Refused::Malformed)?;
    for purpose in [Purpose::ServerAuth, Purpose::ClientAuth] {
        path::verify(&leaf, &trusted.intermediates, &trusted.path, &Expectation::peer(purpose), at_s)
            .map_err(|refusal| Refused::Path(purpose, refusal))?;
    }
    Ok(())
}

fn side(purpose: Purpose) -> &'static str {
    if purpose == Purpose::ServerAuth { "a server" } else { "a client" }
}
