//! The listener for services: who shows a certificate of ours in its handshake is let in as the service it names.
//!
//! There is nothing to fall back to: TLS 1.3, hybrid groups, ML-DSA on both sides, or no connection. Whose service it is
//! is decided by the key that signed its certificate, never by a name in it, so two tenants of one trust domain cannot
//! speak for each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crypto::x509::{AltName, KeyId, SerialNumber, TrustDomain};
use domain::authz::{ManageTenants, on_behalf_of_the_platform};
use domain::ids::TenantId;
use domain::time::Timestamp;
use store::epoch::Epochs;
use tls::credentials::Credentials;
use tls::handshake;
use tls::mesh::{ServerAcceptor, ServerStream};
use tls::public::Session;
use tls::snapshot::{Live, Snapshot};
use tls::trust::{Denied, Trust};
use tls::whom::Whom;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use crate::app::authority::Believed;
use crate::app::authority::platforms::{Peer, PlatformKey};
use crate::background::Ticks;
use crate::clock;
use crate::config::tls::MtlsConfig;
use crate::ctx::{Ctx, Service};
use crate::https::issued::{PAUSE_MS, RENEWED_BEFORE_MS, credentials, own_context};
use crate::platform::Platform;
use crate::problem::{Outcome, Problem};

/// How often is looked without being told of a change: certificates end by themselves.
const PERIOD: Duration = Duration::from_secs(1);
/// How long changes are gathered while nobody stands at the door.
const GATHER: Duration = Duration::from_millis(250);
/// How long somebody who stands at the door waits for what was changed before; then it is what it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets services in.
pub struct Door {
    open: watch::Sender<Option<Arc<Open>>>,
    epochs: Epochs,
    /// The number of changes that were looked at.
    looked: watch::Sender<u64>,
    /// Somebody waits for changes to be looked at.
    knock: Notify,
}

/// What the door opens with at one moment.
struct Open {
    snapshot: Snapshot,
    acceptor: ServerAcceptor,
    certificate: &'static str,
    tenants: HashMap<KeyId, TenantId>,
}

/// A connection, and whose it is.
pub struct Entered<IO> {
    /// The connection.
    pub stream: ServerStream<IO>,
    /// The service.
    pub service: Arc<Service>,
    /// How long the connection may last.
    pub stay: Stay,
    /// For counting.
    pub session: Session,
}

/// How long a service may stay: while its certificate is valid and the door would still let it in.
pub struct Stay {
    lifetime: Duration,
    peer: tls::peer::Peer,
    open: watch::Receiver<Option<Arc<Open>>>,
}

impl Stay {
    /// Ends with the stay.
    pub async fn over(mut self) {
        let stranger = |open: &Option<Arc<Open>>| !open.as_ref().is_some_and(|open| open.snapshot.believes(&self.peer));
        tokio::select! {
            // The door is gone when the server has stopped.
            _ = self.open.wait_for(stranger) => tracing::info!("a service is not believed any more"),
            () = tokio::time::sleep(self.lifetime) => {}
        }
    }
}

impl Door {
    fn new(epochs: Epochs) -> Self {
        Self { open: watch::Sender::new(None), epochs, looked: watch::Sender::new(0), knock: Notify::new() }
    }

    /// Waits until the door knows what was changed before now. A certificate of a name that was new comes with constraints of its
    /// authority that are as new, and whoever holds it may be here sooner than the change; so may one that was just revoked.
    async fn catch_up(&self) {
        self.epochs.caught_up().await;
        let changes = *self.epochs.changes().borrow();
        let mut looked = self.looked.subscribe();
        if *looked.borrow() < changes {
            self.knock.notify_one();
            // The sender is as old as `self`.
            drop(looked.wait_for(|looked| *looked >= changes).await);
        }
    }

    /// Shakes hands on a fresh connection.
    pub async fn accept<IO>(&self, io: IO) -> Result<Entered<IO>, handshake::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let _ended = tokio::time::timeout(PATIENCE, self.catch_up()).await;
        let open = self.open.borrow().clone().ok_or(handshake::Error::NoCredentials)?;
        let (stream, peer) = open.acceptor.accept(io, &Whom::AnyService).await?;
        let issuer_key_id = KeyId::from_bytes(&peer.issuer_key_id);
        // Both come of one look at the tenants: who is believed has a tenant.
        let tenant = open.tenants.get(&issuer_key_id).copied();
        let (Some(tenant), Some(id)) = (tenant, &peer.spiffe_id) else {
            return Err(handshake::Error::Unwelcome(peer.spiffe_id));
        };
        let left_s = peer.not_after.saturating_sub(clock::now().millis() / 1_000);
        let service = Service {
            tenant,
            spiffe_id: id.to_string(),
            dns_names: peer.dns_names.clone(),
            fingerprint: peer.fingerprint,
            peer: Peer { issuer_key_id, serial_number: SerialNumber::from_bytes(&peer.serial) },
        };
        Ok(Entered {
            stream,
            service: Arc::new(service),
            session: Session { certificate: open.certificate, group: peer.group },
            stay: Stay {
                lifetime: Duration::from_secs(u64::try_from(left_s).unwrap_or_default()),
                peer,
                open: self.open.subscribe(),
            },
        })
    }
}

/// Keeps the door supplied with its own certificate and with whom to believe.
pub struct Keeper {
    platform: Platform,
    names: Vec<AltName>,
    door: Arc<Door>,
    own: Option<Credentials>,
    /// Whether the door does not show them yet.
    own_is_new: bool,
    due: Timestamp,
    believed: BTreeMap<TenantId, Arc<Believed>>,
}

impl Keeper {
    /// Opens the door if that is possible already; an authority that is sealed still is waited for.
    pub async fn start(platform: &Platform, config: &MtlsConfig) -> Self {
        let mut keeper = Self {
            platform: platform.clone(),
            names: config.names.clone(),
            door: Arc::new(Door::new(platform.store.epochs().clone())),
            own: None,
            own_is_new: false,
            due: Timestamp::from_millis(0),
            believed: BTreeMap::new(),
        };
        keeper.look().await;
        keeper
    }

    /// What the listener uses.
    pub fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// Looks for what is new until the server stops.
    pub async fn keep(mut self, stop: watch::Receiver<bool>) {
        let door = self.door();
        let mut changes = door.epochs.changes();
        let mut ticks = Ticks::new(PERIOD, stop);
        loop {
            let goes_on = tokio::select! {
                goes_on = ticks.next() => goes_on,
                Ok(()) = changes.changed() => true,
                () = door.knock.notified() => true,
            };
            if !goes_on {
                break;
            }
            // Whoever knocks while changes are gathered is not kept waiting for more. Nobody does once the server stops.
            let mut knocked = true;
            while knocked {
                changes.borrow_and_update();
                self.look().await;
                knocked = tokio::time::timeout(GATHER, door.knock.notified()).await.is_ok();
            }
        }
    }

    /// What cannot be had now is tried again; meanwhile the door stays as it is.
    async fn look(&mut self) {
        // Counted before anything is read: what changes meanwhile is looked at again.
        let changes = *self.door.epochs.changes().borrow();
        if let Err(error) = self.try_look().await {
            tracing::error!(error = format!("{error:#}"), "the listener for services is not up to date");
        }
        self.door.looked.send_replace(changes);
    }

    async fn try_look(&mut self) -> anyhow::Result<()> {
        let now = clock::now();
        self.renew(now).await?;
        let believed = self.tenants(now).await.map_err(Problem::for_operator)?;
        let Some(own) = self.own.clone().filter(|_| self.own_is_new || believed != self.believed) else {
            return Ok(());
        };
        self.door.open.send_replace(Some(Arc::new(open(own, &believed)?)));
        (self.believed, self.own_is_new) = (believed, false);
        Ok(())
    }

    /// A new certificate of its own when one is due; none while the platform is sealed, since its authority's key is.
    async fn renew(&mut self, now: Timestamp) -> anyhow::Result<()> {
        if now < self.due || self.platform.seal.keyring().is_err() {
            return Ok(());
        }
        self.due = Timestamp::from_millis(now.millis().saturating_add(PAUSE_MS));
        let context: Ctx = own_context(&self.platform, now, "mtlsCertificate").await.map_err(Problem::for_operator)?;
        let authority = &self.platform.services.authority;
        let issued = authority.issue_for_platform(&context, &self.names, PlatformKey::QuantumSafe).await;
        let issued = issued.map_err(Problem::for_operator)?;
        (self.own, self.own_is_new) = (Some(credentials(&issued)?), true);
        let renewed = issued.not_after.millis().saturating_sub(RENEWED_BEFORE_MS);
        self.due = Timestamp::from_millis(renewed.max(self.due.millis()));
        Ok(())
    }

    /// Whom the tenants believe; a suspended one has no services.
    async fn tenants(&self, now: Timestamp) -> Outcome<BTreeMap<TenantId, Arc<Believed>>> {
        let authority = &self.platform.services.authority;
        let mut believed = BTreeMap::new();
        let any = on_behalf_of_the_platform::<ManageTenants>(TenantId::from_bytes([0; 16]));
        for tenant in self.platform.store.tenants(&any).await? {
            if !tenant.is_suspended
                && let Some(found) = authority.believed(tenant.id, now).await?
            {
                believed.insert(tenant.id, found);
            }
        }
        Ok(believed)
    }
}

/// Anchors and denied certificates of a trust domain, whosever they are.
#[derive(Default)]
struct Merged {
    anchors: Vec<Vec<u8>>,
    denied: Vec<Denied>,
}

fn open(own: Credentials, believed: &BTreeMap<TenantId, Arc<Believed>>) -> anyhow::Result<Open> {
    let mut tenants = HashMap::new();
    let mut domains: BTreeMap<&str, Merged> = BTreeMap::new();
    for (tenant, believed) in believed {
        let merged = domains.entry(&believed.trust_domain).or_default();
        for (id, certificate) in &believed.anchors {
            tenants.insert(KeyId::from_bytes(id), *tenant);
            merged.anchors.push(certificate.clone());
        }
        let denied = believed.denied.iter();
        merged
            .denied
            .extend(denied.map(|(issuer, serial)| Denied { issuer_key_id: issuer.clone(), serial: serial.clone() }));
    }
    let certificate = own.algorithm();
    // A client whose certificate names no trust domain is of one that nobody has: it is no service.
    let nobody = Trust::new("nobody.invalid".parse()?, Vec::new());
    let mut snapshot = Snapshot::new(own, nobody);
    for (domain, merged) in domains {
        let domain: TrustDomain = domain.parse()?;
        snapshot = snapshot.with_trust(Trust::new(domain, merged.anchors).with_denied(merged.denied));
    }
    Ok(Open { acceptor: ServerAcceptor::new(Live::new(snapshot.clone())), snapshot, certificate, tenants })
}
