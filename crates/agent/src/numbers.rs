//! What is counted, in Prometheus text. Labels are names of the configuration and reasons of ours; nothing that a peer sends
//! becomes a label.

use prometheus::{Gauge, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use sdk::identity::{ServiceIdentity, Side};

/// The counters of one agent.
pub struct Numbers {
    registry: Registry,
    connections: IntCounterVec,
    open: IntGaugeVec,
    failures: IntCounterVec,
    refused: IntGaugeVec,
    identity: Credential,
}

/// What is told about the certificate, looked up when somebody looks.
struct Credential {
    ready: Gauge,
    seconds_left: Gauge,
    renewals: Gauge,
    failures: Gauge,
    sequence: Gauge,
    bundle_age: Gauge,
    denied: Gauge,
}

/// Which way a connection was opened.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// By somebody else.
    Inbound,
    /// By the application.
    Outbound,
}

/// A connection that is open as long as this is kept.
pub struct Open(prometheus::IntGauge);

impl Numbers {
    /// Registers everything; a name registered twice would be a fault of this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let levels = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let identity = Credential::new(&registry)?;
        Ok(Self {
            connections: counter("qapi_agent_connections_total", "Connections carried.", &["direction", "port"])?,
            open: levels("qapi_agent_connections_open", "Connections open now.", &["direction", "port"])?,
            failures: counter(
                "qapi_agent_failures_total",
                "Connections that did not come about, or broke.",
                &["direction", "port", "reason"],
            )?,
            refused: levels(
                "qapi_handshakes_refused_total",
                "Handshakes that failed, by reason.",
                &["side", "reason"],
            )?,
            identity,
            registry,
        })
    }

    /// Counts a connection.
    pub fn opened(&self, direction: Direction, port: &str) -> Open {
        let labels = [direction.label(), port];
        self.connections.with_label_values(&labels).inc();
        let open = self.open.with_label_values(&labels);
        open.inc();
        Open(open)
    }

    /// Counts one that did not come about, or broke.
    pub fn failed(&self, direction: Direction, port: &str, reason: &'static str) {
        self.failures.with_label_values(&[direction.label(), port, reason]).inc();
    }

    /// Everything in the text exposition format.
    pub fn render(&self, identity: &ServiceIdentity) -> Result<String, prometheus::Error> {
        self.identity.look(identity);
        for (side, reason, count) in identity.refusals() {
            let side = match side {
                Side::Server => "server",
                Side::Client => "client",
            };
            self.refused.with_label_values(&[side, reason]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Credential {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<Gauge, prometheus::Error> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            ready: gauge("qapi_identity_ready", "1 while the certificate is valid.")?,
            seconds_left: gauge("qapi_identity_seconds_left", "Until the certificate expires; negative afterwards.")?,
            renewals: gauge("qapi_identity_renewals_total", "Certificates that took the place of another.")?,
            failures: gauge("qapi_identity_renewal_failures_total", "Renewals that failed.")?,
            sequence: gauge("qapi_trust_bundle_sequence", "The trust bundle's sequence.")?,
            bundle_age: gauge("qapi_trust_bundle_age_seconds", "Since the platform last confirmed the trust bundle.")?,
            denied: gauge("qapi_trust_bundle_denied", "Certificates on the deny list.")?,
        })
    }

    fn look(&self, identity: &ServiceIdentity) {
        let (status, now_s) = (identity.status(), identity.now_s());
        self.ready.set(if identity.is_ready() { 1.0 } else { 0.0 });
        self.seconds_left.set(status.seconds_left(now_s) as f64);
        self.renewals.set(status.renewals.done as f64);
        self.failures.set(status.renewals.failed as f64);
        self.sequence.set(status.bundle_sequence as f64);
        self.bundle_age.set((now_s - status.bundle_confirmed_s).max(0) as f64);
        self.denied.set(status.denied as f64);
    }
}

impl Direction {
    fn label(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
