//! What is counted, in Prometheus text. Labels are names of ours; nothing a caller sends becomes a label.

use std::time::Duration;

use api::error::ErrorCode;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};
use tls::public::Session;

/// The counters of one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: Histogram,
    operations: IntCounterVec,
    failures: IntCounterVec,
    handshakes: IntCounterVec,
    refused_handshakes: IntCounterVec,
    read_failures: IntCounter,
    /// Seconds since the oldest event that is written and not yet queryable.
    pub audit_lag: Gauge,
    /// Links and checkpoints of audit chains that did not verify: anything above zero is somebody's doing.
    pub audit_breaks: IntCounter,
    /// Seconds since the last successful look at the change feed.
    pub cache_age: Gauge,
    /// 1 while sealed.
    pub sealed: Gauge,
}

impl Metrics {
    /// Registers everything; a name registered twice would be a fault of this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let handshakes = IntCounterVec::new(
            Opts::new("qapi_tls_handshakes_total", "TLS handshakes by certificate algorithm and key exchange group."),
            &["certificate", "group"],
        )?;
        registry.register(Box::new(handshakes.clone()))?;
        let gauge = |name: &str, help: &str| -> Result<Gauge, prometheus::Error> {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let seconds = Histogram::with_opts(
            HistogramOpts::new("qapi_request_seconds", "Time from the request's headers to its answer.")
                .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]),
        )?;
        registry.register(Box::new(seconds.clone()))?;
        let read_failures =
            IntCounter::new("qapi_secret_read_failures_total", "Secret reads that did not give a value.")?;
        registry.register(Box::new(read_failures.clone()))?;
        let audit_breaks = IntCounter::new(
            "qapi_audit_breaks_total",
            "Links and signed checkpoints of audit chains that did not verify.",
        )?;
        registry.register(Box::new(audit_breaks.clone()))?;
        Ok(Self {
            requests: counter("qapi_requests_total", "HTTP answers by status.", "status")?,
            operations: counter("qapi_operations_total", "Operations by audit action.", "action")?,
            failures: counter("qapi_failures_total", "Failed operations by error code.", "code")?,
            handshakes,
            refused_handshakes: counter(
                "qapi_tls_refused_handshakes_total",
                "TLS handshakes that did not come about, by reason.",
                "reason",
            )?,
            audit_breaks,
            audit_lag: gauge("qapi_audit_lag_seconds", "Age of the oldest audit event that cannot be queried yet.")?,
            cache_age: gauge("qapi_cache_age_seconds", "Time since the change feed was last read.")?,
            sealed: gauge("qapi_sealed", "1 while the platform is sealed.")?,
            registry,
            seconds,
            read_failures,
        })
    }

    /// Counts an answer.
    pub fn request(&self, status: u16, took: Duration) {
        self.requests.with_label_values(&[status_text(status)]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts an operation, by its error code when it failed.
    pub fn operation(&self, action: &str, failed: Option<ErrorCode>) {
        self.operations.with_label_values(&[action]).inc();
        let Some(code) = failed else { return };
        self.failures.with_label_values(&[code.as_str()]).inc();
        if action == "SecretRead" {
            self.read_failures.inc();
        }
    }

    /// Counts a handshake. The labels are names of ours: what is served and what was agreed on, from closed lists.
    pub fn handshake(&self, session: &Session) {
        self.handshakes.with_label_values(&[session.certificate, session.group]).inc();
    }

    /// Counts a handshake that failed.
    pub fn handshake_refused(&self, reason: &str) {
        self.refused_handshakes.with_label_values(&[reason]).inc();
    }

    /// All counters in the text exposition format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn status_text(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        204 => "204",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}
