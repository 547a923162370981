//! The certificates of a server that answers everybody over HTTPS: one of ML-DSA, and, where that was asked for, one of the
//! profile `mesh-compat` (ECDSA, NOT quantum-safe) for clients that cannot check ML-DSA.
//!
//! ```no_run
//! # async fn example(key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use sdk::identity::serving::{Serving, Wanted};
//!
//! let wanted = Wanted::new(["shop.example"], "anchors.pem")?.with_danger_classical();
//! let platform = sdk::Config::new("https://vault.example").with_key(key);
//! let serving = Serving::start(wanted, platform).await?;
//! let acceptor = serving.acceptor();
//! # Ok(())
//! # }
//! ```
//!
//! They are kept fresh as an identity's are: by the same plan, under new keys that stay in memory, and nothing that is valid is
//! given up for something that is not better. All are renewed together, and judged together before any is shown, by the anchors
//! that clients were given: an authority that clients have not heard of yet takes nothing away from them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use api::certificates::IssueCertificate;
use crypto::algorithm::Algorithm;
use crypto::entropy::EntropyPool;
use crypto::x509::{AltName, Certificate, DistinguishedName, KeyUsage, Malformed, Purpose, Request, pem};
use tls::credentials::Credentials;
use tls::path::{self, Expectation, Floor, Name, Trust};
use tls::public::{Certificates, PublicAcceptor, Strictness};
use tokio::sync::watch;

use super::authority::{Answer, ISSUE_TIMEOUT};
use super::candidate::{Candidate, Issued, Unfit, name_text};
use super::check::Refused;
use super::clock::{Clock, WallClock};
use super::plan::{Failure, Standing, Window};
use super::rotation::{self, Renewable};
use super::status::Renewals;
use super::wanted::{NotAName, dns_name};
use super::{Failed, StartFailed};
use crate::client::Client;
use crate::config::Config;
use crate::random;
use crate::task::Task;

/// What a server's certificates shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    names: BTreeSet<String>,
    anchors: PathBuf,
    danger_classical: bool,
}

/// Certificates that are in use. Clones share them; when the last is gone, they are no longer kept fresh.
#[derive(Clone)]
pub struct Serving {
    inner: Arc<Inner>,
    _task: Arc<Task>,
}

/// The certificates at the last look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// What is shown, the quantum-safe one first.
    pub shown: Vec<Shown>,
    /// How renewing them went.
    pub renewals: Renewals,
}

/// One certificate that is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// The name of the algorithm of its key.
    pub algorithm: &'static str,
    /// Its number, in hexadecimal digits.
    pub serial_number: String,
    /// When it is valid.
    pub window: Window,
}

/// Why it is not known what clients trust.
#[derive(Debug, thiserror::Error)]
pub enum NoAnchors {
    /// The file cannot be read.
    #[error("{}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds something else than certificates in PEM, or none.
    #[error("{} does not hold certificates in PEM", .0.display())]
    NotPem(PathBuf),
    /// One of them is malformed.
    #[error("a certificate in {}", path.display())]
    Malformed {
        /// In which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Malformed,
    },
}

/// Which of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    QuantumSafe,
    DangerClassical,
}

/// Who issues; tests put an authority of their own behind it.
trait Issuer: Send + Sync + 'static {
    fn issue(&self, wish: IssueCertificate) -> Answer<'_, Issued>;
}

struct Inner {
    wanted: Wanted,
    issuer: Box<dyn Issuer>,
    clock: Arc<dyn Clock>,
    random: EntropyPool,
    acceptor: Arc<PublicAcceptor>,
    status: watch::Sender<Status>,
}

impl Wanted {
    /// Certificates of these DNS names. The file holds in PEM what clients were given to trust; it is read at every renewal.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>, anchors: impl Into<PathBuf>) -> Result<Self, NotAName> {
        let names: BTreeSet<String> = names.into_iter().map(dns_name).collect::<Result<_, _>>()?;
        if names.is_empty() {
            return Err(NotAName::Dns(String::new()));
        }
        Ok(Self { names, anchors: anchors.into(), danger_classical: false })
    }

    /// Also one of ECDSA for clients that cannot check ML-DSA. It is not quantum-safe, and of an authority of its own.
    #[must_use]
    pub fn with_danger_classical(mut self) -> Self {
        self.danger_classical = true;
        self
    }

    /// Whether what clients trust can be read.
    pub async fn check(&self) -> Result<(), NoAnchors> {
        self.anchors().await.map(drop)
    }

    async fn anchors(&self) -> Result<Vec<Certificate>, NoAnchors> {
        let path = || self.anchors.clone();
        let text = tokio::fs::read_to_string(&self.anchors).await;
        let text = text.map_err(|source| NoAnchors::Unreadable { path: path(), source })?;
        let blocks = pem::blocks(&text).map_err(|_| NoAnchors::NotPem(path()))?;
        if blocks.is_empty() || blocks.iter().any(|block| block.label != pem::CERTIFICATE) {
            return Err(NoAnchors::NotPem(path()));
        }
        let parsed = blocks.iter().map(|block| Certificate::parse(&block.der)).collect::<Result<_, _>>();
        parsed.map_err(|source| NoAnchors::Malformed { path: path(), source })
    }

    fn request(&self) -> Request {
        Request {
            subject: DistinguishedName::default(),
            alt_names: self.names.iter().cloned().map(AltName::Dns).collect(),
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth],
        }
    }

    /// Exactly the DNS names that were asked for. The SPIFFE id that the authority derives from them may stand beside them.
    fn check_names(&self, leaf: &Certificate) -> Result<(), Unfit> {
        let found: BTreeSet<String> = leaf.alt_names().iter().map(name_text).collect();
        let names = found.iter().filter(|name| !name.starts_with("URI:"));
        if names.cloned().eq(self.names.iter().map(|name| format!("DNS:{name}"))) {
            return Ok(());
        }
        Err(Unfit::OtherNames { found: found.into_iter().collect::<Vec<_>>().join(", ") })
    }
}

impl Kind {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::QuantumSafe => Algorithm::MlDsa65,
            Self::DangerClassical => Algorithm::EcdsaP256,
        }
    }

    fn profile(self) -> &'static str {
        match self {
            Self::QuantumSafe => "server",
            Self::DangerClassical => "mesh-compat",
        }
    }

    fn floor(self) -> Floor {
        match self {
            Self::QuantumSafe => Floor::MlDsa65,
            Self::DangerClassical => Floor::DangerClassical,
        }
    }
}

impl Serving {
    /// Fetches first certificates, or fails after five tries, and keeps them fresh from then on.
    pub async fn start(wanted: Wanted, platform: Config) -> Result<Self, StartFailed> {
        let client = Client::new(platform.with_retries(0).with_timeout(ISSUE_TIMEOUT)).map_err(StartFailed::Client)?;
        Self::start_with(wanted, Box::new(client), Arc::new(WallClock)).await
    }

    async fn start_with(wanted: Wanted, issuer: Box<dyn Issuer>, clock: Arc<dyn Clock>) -> Result<Self, StartFailed> {
        let (acceptor, status) = (PublicAcceptor::new(Strictness::Compatible), watch::Sender::default());
        let inner = Arc::new(Inner { wanted, issuer, clock, random: random::pool(), acceptor, status });
        rotation::first(|| inner.exchange()).await.map_err(StartFailed::Certificate)?;
        let task = Task::spawn(rotation::renew(Arc::clone(&inner)));
        Ok(Self { inner, _task: Arc::new(task) })
    }

    /// Shakes hands with what is in use at that moment.
    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        Arc::clone(&self.inner.acceptor)
    }

    /// The certificates at the last look.
    pub fn status(&self) -> Status {
        self.inner.status.borrow().clone()
    }

    /// Tells of every change.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// Takes new keys and new certificates now. If this fails, what is in use stays so.
    pub async fn renew(&self) -> Result<(), Failed> {
        self.inner.renew().await
    }
}

impl Status {
    /// When all that is shown is valid.
    pub fn window(&self) -> Option<Window> {
        self.shown.iter().map(|shown| shown.window).reduce(Window::and)
    }
}

impl Inner {
    /// Gets all that is wanted, and shows it in place of what was shown before.
    async fn exchange(&self) -> Result<(), Failed> {
        let anchors = self.wanted.anchors().await.map_err(Failed::Anchors)?;
        let (quantum_safe, first) = self.certificate(Kind::QuantumSafe, &anchors).await?;
        let (mut classical, mut shown) = (None, vec![first]);
        if self.wanted.danger_classical {
            let (credentials, second) = self.certificate(Kind::DangerClassical, &anchors).await?;
            classical = Some(credentials);
            shown.push(second);
        }
        let unusable = |error| Failed::Certificate(Unfit::Pair(tls::credentials::Error::Pair(error)));
        self.acceptor.swap(&Certificates { quantum_safe, classical }).map_err(unusable)?;
        self.status.send_modify(|status| status.shown = shown);
        Ok(())
    }

    /// A new key, and a certificate for it that clients will accept.
    async fn certificate(&self, kind: Kind, anchors: &[Certificate]) -> Result<(Credentials, Shown), Failed> {
        let candidate = Candidate::of(kind.algorithm(), &self.wanted.request(), &self.random);
        let candidate = candidate.map_err(Failed::Certificate)?;
        let wish = IssueCertificate {
            csr: Some(candidate.request()),
            profile: Some(kind.profile().to_owned()),
            ..IssueCertificate::default()
        };
        let issued = self.issuer.issue(wish).await.map_err(Failed::Platform)?;
        self.judged(kind, anchors, &candidate, &issued).map_err(Failed::Certificate)
    }

    fn judged(
        &self,
        kind: Kind,
        anchors: &[Certificate],
        candidate: &Candidate,
        issued: &Issued,
    ) -> Result<(Credentials, Shown), Unfit> {
        let leaf = candidate.leaf(issued)?;
        self.wanted.check_names(&leaf)?;
        let (window, now_s) = (Window::of(&leaf), self.clock.now_s());
        if !window.holds(now_s) {
            return Err(Unfit::NotValidNow);
        }
        let trust = Trust { anchors: anchors.to_vec(), floor: kind.floor(), ..Trust::default() };
        let names = self.wanted.names.iter().cloned().map(Name::Dns).collect();
        let expected = Expectation { names, ..Expectation::peer(Purpose::ServerAuth) };
        path::verify(&leaf, &[], &trust, &expected, now_s)
            .map_err(|refusal| Unfit::Refused(Refused::Path(Purpose::ServerAuth, refusal)))?;
        let algorithm = kind.algorithm().as_str();
        let shown = Shown { algorithm, serial_number: leaf.serial_number().to_string(), window };
        Ok((candidate.with(&leaf)?, shown))
    }
}

impl Renewable for Inner {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn look(&self, now_s: i64) -> (Window, Standing) {
        let window = self.status.borrow().window().unwrap_or(Window { not_before_s: now_s, not_after_s: now_s });
        let hours_left = rotation::rounded(window.hours_left(now_s));
        match window.holds(now_s) {
            true => tracing::info!(hours_left, "serving certificates valid"),
            false => tracing::error!(hours_left, "serving certificates not valid"),
        }
        (window, Standing::Accepted)
    }

    async fn renew(&self) -> Result<(), Failed> {
        self.exchange().await?;
        self.status.send_modify(|status| status.renewals.succeeded());
        Ok(())
    }

    fn note(&self, failure: Failure, why: String) {
        self.status.send_modify(|status| status.renewals.failed(failure, why));
    }
}

impl Issuer for Client {
    fn issue(&self, wish: IssueCertificate) -> Answer<'_, Issued> {
        Box::pin(async move {
            let issued = self.issue_certificate(&wish).await?;
            Ok(Issued { certificate: issued.certificate, chain: issued.chain })
        })
    }
}

#[cfg(test)]
mod tests;
