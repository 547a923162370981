//! The relay that letters are handed to.

use std::time::Duration;

use anyhow::Context as _;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};

use crate::config::mail::{SmtpConfig, SmtpSecurity};

const PATIENCE: Duration = Duration::from_secs(15);

/// A transport to the relay; it connects when there is something to send.
pub fn transport(config: &SmtpConfig) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = match config.security {
        SmtpSecurity::Tls => Tls::Wrapper(parameters(config)?),
        SmtpSecurity::Starttls => Tls::Required(parameters(config)?),
        SmtpSecurity::Plaintext => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
        .port(config.port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let Some((name, password)) = &config.login {
        builder = builder.credentials(Credentials::new(name.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

/// The relay is believed by its name: by the web's authorities, or by those of a file alone.
fn parameters(config: &SmtpConfig) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.authorities {
        let pem = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let certificate = Certificate::from_pem(&pem).with_context(|| format!("in {}", path.display()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().context("preparing TLS to the mail relay")
}
