//! What is counted, in Prometheus text. Labels are words of ours: nothing that a review or a registry says becomes one.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The counters of the webhook.
pub struct Numbers {
    registry: Registry,
    reviews: IntCounterVec,
    review_seconds: Histogram,
    images: IntCounterVec,
    lookups: IntCounterVec,
    lookup_seconds: Histogram,
    handshakes: IntCounterVec,
    certificates: IntGaugeVec,
    reloads: IntCounterVec,
    /// Reviews that are being judged.
    pub under_way: IntGauge,
    /// When the policy in use was loaded, in Unix seconds.
    pub policy_loaded: IntGauge,
    /// Whether the policy file says what is in use.
    pub policy_current: IntGauge,
    /// Whether the last look for new certificates did not fail.
    pub certificates_current: IntGauge,
    /// Tickets that the platform lists as active.
    pub tickets: IntGauge,
    /// Images whose signatures are remembered.
    pub remembered: IntGauge,
    /// How much room these take.
    pub remembered_bytes: IntGauge,
}

impl Numbers {
    /// Registers everything; a name registered twice would be a fault of this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let seconds = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let certificates = IntGaugeVec::new(
            Opts::new("qapi_admission_certificate_not_after_seconds", "When a certificate that is shown expires."),
            &["algorithm"],
        )?;
        registry.register(Box::new(certificates.clone()))?;
        Ok(Self {
            reviews: counter("qapi_admission_reviews_total", "Reviews answered.", &["hook", "outcome"])?,
            review_seconds: seconds("qapi_admission_review_seconds", "From a whole body to its answer.")?,
            images: counter(
                "qapi_admission_images_total",
                "Images judged, by verdict and where it came from.",
                &["verdict", "source"],
            )?,
            lookups: counter(
                "qapi_admission_lookups_total",
                "Questions about an image to its registry.",
                &["outcome"],
            )?,
            lookup_seconds: seconds("qapi_admission_lookup_seconds", "How long such a question took.")?,
            handshakes: counter(
                "qapi_admission_handshakes_total",
                "TLS handshakes, by the certificate that was shown.",
                &["certificate", "group", "outcome"],
            )?,
            reloads: counter("qapi_admission_policy_reloads_total", "Changes of the policy file.", &["outcome"])?,
            under_way: gauge("qapi_admission_reviews_under_way", "Reviews being judged now.")?,
            policy_loaded: gauge("qapi_admission_policy_loaded_seconds", "When the policy in use was loaded.")?,
            policy_current: gauge("qapi_admission_policy_current", "1 while the policy in use is what the file says.")?,
            certificates_current: gauge(
                "qapi_admission_certificates_current",
                "1 while the last try to put new certificates in use did not fail.",
            )?,
            tickets: gauge("qapi_admission_tickets", "Tickets that the platform lists as active.")?,
            remembered: gauge("qapi_admission_images_remembered", "Images whose signatures are remembered.")?,
            remembered_bytes: gauge("qapi_admission_remembered_bytes", "What these signatures and attestations take.")?,
            certificates,
            registry,
        })
    }

    /// Counts an answer.
    pub fn reviewed(&self, hook: &'static str, outcome: &'static str, took: Duration) {
        self.reviews.with_label_values(&[hook, outcome]).inc();
        self.review_seconds.observe(took.as_secs_f64());
    }

    /// Counts an image that was judged.
    pub fn judged(&self, verdict: &'static str, source: &'static str) {
        self.images.with_label_values(&[verdict, source]).inc();
    }

    /// Counts a question to a registry.
    pub fn looked_up(&self, outcome: &'static str, took: Duration) {
        self.lookups.with_label_values(&[outcome]).inc();
        self.lookup_seconds.observe(took.as_secs_f64());
    }

    /// Counts a handshake that came about.
    pub fn handshake(&self, session: &tls::public::Session) {
        self.handshakes.with_label_values(&[session.certificate, session.group, "ok"]).inc();
    }

    /// Counts one that did not.
    pub fn handshake_refused(&self, reason: &'static str) {
        self.handshakes.with_label_values(&["none", "none", reason]).inc();
    }

    /// Notes a certificate that is shown.
    pub fn certificate(&self, algorithm: &'static str, not_after: i64) {
        self.certificates.with_label_values(&[algorithm]).set(not_after);
    }

    /// Counts a change of the policy.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// Everything in the text exposition format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
