//! `[mail]`: from whom letters come, and by what way they leave.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use api::secret::SecretText;
use serde::Deserialize;

/// The checked section.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The sender: `Name <address>` or an address.
    pub from: String,
    /// How letters leave.
    pub way: Way,
}

/// How letters leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// As files of a folder, for development.
    Folder(PathBuf),
    /// By a relay.
    Smtp(SmtpConfig),
}

/// A relay.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Its name, which its certificate shows.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: SmtpSecurity,
    /// As whom.
    pub login: Option<(String, std::sync::Arc<SecretText>)>,
    /// By whom its certificate is signed, instead of the web's authorities.
    pub authorities: Option<PathBuf>,
}

impl std::fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpConfig({}:{}, {:?})", self.host, self.port, self.security)
    }
}

/// How a relay is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS after `STARTTLS`, or nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Without TLS: on this machine alone.
    Plaintext,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    from: String,
    folder: Option<PathBuf>,
    smtp: Option<SmtpSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmtpSection {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: SmtpSecurity,
    username: Option<String>,
    password_file: Option<PathBuf>,
    authorities: Option<PathBuf>,
    #[serde(default)]
    danger_plaintext_smtp: bool,
}

impl MailSection {
    /// What the section means.
    pub fn checked(self) -> anyhow::Result<MailConfig> {
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            bail!("mail.from = {:?} is neither an address nor \"Name <address>\"", self.from);
        }
        let way = match (self.folder, self.smtp) {
            (Some(folder), None) => Way::Folder(folder),
            (None, Some(smtp)) => Way::Smtp(smtp.checked()?),
            _ => bail!("mail: give exactly one of folder and [mail.smtp]"),
        };
        Ok(MailConfig { from: self.from, way })
    }
}

impl MailConfig {
    /// What `qapid dev` runs with: letters are files beside the data.
    pub fn dev(data_dir: &Path) -> Self {
        Self { from: "qapi <qapi@localhost>".to_owned(), way: Way::Folder(data_dir.join("mail")) }
    }
}

impl SmtpSection {
    fn checked(self) -> anyhow::Result<SmtpConfig> {
        let is_here = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.security == SmtpSecurity::Plaintext && !is_here && !self.danger_plaintext_smtp {
            bail!(
                "mail.smtp would send letters and the links in them to {} in plain text: use security = \"starttls\" or \"tls\", \
                 or set mail.smtp.danger_plaintext_smtp = true",
                self.host
            );
        }
        let login = match (self.username, self.password_file) {
            (None, None) => None,
            (Some(name), Some(path)) => {
                let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                Some((name, std::sync::Arc::new(SecretText::copy_from(text.trim_end_matches(['\r', '\n'])))))
            }
            _ => bail!("mail.smtp: give username and password_file together"),
        };
        let port = self.port.unwrap_or(match self.security {
            SmtpSecurity::Starttls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::Plaintext => 25,
        });
        Ok(SmtpConfig { host: self.host, port, security: self.security, login, authorities: self.authorities })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> anyhow::Result<MailConfig> {
        toml::from_str::<MailSection>(text)?.checked()
    }

    #[test]
    fn letters_leave_one_way_and_in_plain_text_on_this_machine_alone() {
        for (text, is_taken) in [
            ("from = 'a@b.example'\nfolder = 'mail'", true),
            ("from = 'Our service <a@b.example>'\n[smtp]\nhost = 'smtp.b.example'", true),
            ("from = 'a@b.example'\n[smtp]\nhost = '127.0.0.1'\nsecurity = 'plaintext'", true),
            ("from = 'a@b.example'\n[smtp]\nhost = 'smtp.b.example'\nsecurity = 'plaintext'", false),
            (
                "from = 'a@b.example'\n[smtp]\nhost = 'smtp.b.example'\nsecurity = 'plaintext'\ndanger_plaintext_smtp = true",
                true,
            ),
            ("from = 'a@b.example'\n[smtp]\nhost = 'smtp.b.example'\nusername = 'me'", false),
            ("from = 'nobody'\nfolder = 'mail'", false),
            ("from = 'a@b.example'", false),
            ("from = 'a@b.example'\nfolder = 'mail'\n[smtp]\nhost = 'smtp.b.example'", false),
        ] {
            assert_eq!(checked(text).is_ok(), is_taken, "{text}");
        }
    }
}
