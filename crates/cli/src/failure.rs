//! Exit statuses, and failures in one line that says what to do next.

use std::fmt;
use std::process::ExitCode;

use api::error::ErrorCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, valid.
    Done,
    /// Failed, unreachable, invalid.
    Failed,
    /// The input or the usage cannot be worked with.
    Unusable,
    /// A status of the command's own table, as verification has one.
    Of(u8),
}

impl Exit {
    /// The status for the shell.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Failed => ExitCode::from(1),
            Self::Unusable => ExitCode::from(2),
            Self::Of(status) => ExitCode::from(status),
        }
    }
}

/// Why a command did not do what it should, and what to try.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    what: String,
    advice: String,
}

impl Failure {
    /// It did not work out.
    pub fn failed(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), advice: advice.into() }
    }

    /// It cannot work out with these inputs.
    pub fn unusable(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { exit: Exit::Unusable, what: what.into(), advice: advice.into() }
    }

    /// A file that cannot be read or written.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::unusable(format!("{doing} {}: {error}", path.display()), "another path")
    }

    /// The same with the statuses of verification, where 2 says that something is not signed: 3 when what has to answer does
    /// not, 4 when the input, the usage or the policy cannot be worked with.
    #[must_use]
    pub fn of_verification(mut self) -> Self {
        self.exit = match self.exit {
            Exit::Failed => Exit::Of(3),
            Exit::Unusable => Exit::Of(4),
            other => other,
        };
        self
    }

    /// What did not work, without the advice.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Whether there is nobody to tell.
    pub fn is_silent(&self) -> bool {
        self.what.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "error: {}; try {}", line(&self.what), line(&self.advice))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::failed("", ""),
            _ => Self::failed(format!("writing the output: {error}"), "another place for it"),
        }
    }
}

impl From<artifact::registry::Error> for Failure {
    fn from(error: artifact::registry::Error) -> Self {
        use artifact::registry::Error;
        let what = sdk::report(&error);
        let what = format!("{what} ({})", error.code());
        match &error {
            Error::Config(_) => Self::unusable(what, "other options"),
            Error::Credentials { .. } => Self::unusable(what, "`docker login`, or --registry-username"),
            Error::PlainHttp(_) => Self::unusable(what, "https, or --danger-plain-registry"),
            Error::Denied { .. } => Self::failed(what, "`docker login`, or --registry-username"),
            Error::Absent(_) => Self::failed(what, "another name of the image"),
            Error::Unreachable { .. } | Error::TimedOut { .. } | Error::Busy { .. } | Error::Contended(_) => {
                Self::failed(what, "again, or another registry")
            }
            _ => Self::failed(what, "another registry"),
        }
    }
}

impl From<artifact::image::AttachError> for Failure {
    fn from(error: artifact::image::AttachError) -> Self {
        match error {
            artifact::image::AttachError::Registry(error) => error.into(),
            artifact::image::AttachError::HidesLegacy => Self::unusable(error.to_string(), "a second --key"),
            other => Self::failed(sdk::report(&other), "again"),
        }
    }
}

impl From<sdk::Error> for Failure {
    fn from(error: sdk::Error) -> Self {
        match &error {
            sdk::Error::Refused(refusal) => Self {
                exit: exit_of(error.code()),
                what: refusal.to_string(),
                advice: advice_for(error.code(), refusal),
            },
            sdk::Error::Config(what) => Self::unusable(what.clone(), "`qapi login`, or another --base-url"),
            sdk::Error::Unreachable { source, .. } => Self::failed(
                format!("{error} ({})", innermost(source.as_ref())),
                "whether it runs there, or another --base-url",
            ),
            sdk::Error::TimedOut { .. } => Self::failed(error.to_string(), "a longer --timeout"),
            sdk::Error::OAuth(refusal) => Self::failed(error.to_string(), oauth_advice(&refusal.code)),
            sdk::Error::Credential(what) => Self::failed(what.clone(), "`qapi login`, or set QUANTUMAPI_KEY"),
            sdk::Error::Foreign { .. } => Self::failed(error.to_string(), "another --base-url"),
            sdk::Error::Unwritable(_) => Self::unusable(error.to_string(), "other input"),
        }
    }
}

/// What to do when the identity provider says no.
fn oauth_advice(code: &str) -> &'static str {
    match code {
        "invalid_grant" => "`qapi login`, or `qapi trusts test` with the job's token",
        "access_denied" => "again, and say yes on the page",
        "expired_token" => "again, and type the code sooner",
        "invalid_scope" => "fewer scopes",
        "temporarily_unavailable" => "later",
        _ => "a version of qapi that fits the server's",
    }
}

/// The cause that says most: the last one.
fn innermost<'e>(error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |cause| cause.source()).last().unwrap_or(error)
}

fn exit_of(code: Option<ErrorCode>) -> Exit {
    match code {
        Some(
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidFormat
            | ErrorCode::InvalidMinDecryptionVersion
            | ErrorCode::JsonTooDeep
            | ErrorCode::TooManyItems
            | ErrorCode::KeyWrongType
            | ErrorCode::Unsupported
            | ErrorCode::PayloadTooLarge
            | ErrorCode::SecretNameAmbiguous,
        ) => Exit::Unusable,
        _ => Exit::Failed,
    }
}

fn advice_for(code: Option<ErrorCode>, refusal: &sdk::Refusal) -> String {
    let detail = |name: &str| refusal.details.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    match code {
        Some(ErrorCode::Unauthorized) => "`qapi login`, or set QUANTUMAPI_KEY to a valid API key".to_owned(),
        Some(ErrorCode::InsufficientScope) => format!(
            "`qapi login` with a wider --scope, somebody who may, or an API key with the scope {}",
            detail("required_scope")
        ),
        Some(ErrorCode::Forbidden) => "somebody who may do this, or an API key that may".to_owned(),
        Some(ErrorCode::IpNotAllowed) => "from a network the API key allows".to_owned(),
        Some(ErrorCode::NotFound) if refusal.message.contains("no such route") => {
            "another --base-url: the server is of another version, or its address has a path too many".to_owned()
        }
        Some(ErrorCode::NotFound) => format!("{} for what there is", list_of(&refusal.message)),
        Some(ErrorCode::SecretNameAmbiguous) => format!("one of the ids {}", ids_of(refusal)),
        Some(ErrorCode::KeyNameConflict) => "another name, or `qapi keys rotate` for a new version".to_owned(),
        Some(ErrorCode::KeyDisabled) => "`qapi keys enable`, or another key".to_owned(),
        Some(ErrorCode::KeyRevoked) => "another key: this one is revoked for ever".to_owned(),
        Some(ErrorCode::SecretInactive) => "`qapi secrets activate`, or a later expiry".to_owned(),
        Some(ErrorCode::Sealed) => "`qapi operator unseal`".to_owned(),
        Some(ErrorCode::RateLimitExceeded | ErrorCode::QuotaExceeded | ErrorCode::Unavailable) => {
            refusal.retry_after.map_or("later".to_owned(), |wait| format!("in {} s", wait.as_secs()))
        }
        Some(ErrorCode::Internal) => format!("the server's log for request {}", refusal.request_id),
        Some(ErrorCode::DecryptionFailed) => {
            "the same key and --aad or --context as at encryption, and unchanged input".to_owned()
        }
        Some(ErrorCode::Conflict) => "again after looking at its state".to_owned(),
        Some(ErrorCode::LinkNotFound | ErrorCode::LinkRetired | ErrorCode::LinkExhausted) => "a new link".to_owned(),
        Some(ErrorCode::PasswordRequired | ErrorCode::InvalidPassword) => "--password".to_owned(),
        Some(ErrorCode::InvalidMinDecryptionVersion) => "`qapi keys versions` for what there is".to_owned(),
        Some(_) => "other input; --help after the command says what it takes".to_owned(),
        None => "a version of qapi that fits the server's".to_owned(),
    }
}

/// Where to look for a thing that is not there.
fn list_of(message: &str) -> &'static str {
    let lists = [
        ("application", "`qapi apps list`"),
        ("resource server", "`qapi apis list`"),
        ("trust", "`qapi trusts list`"),
        ("session", "`qapi sessions list`"),
        ("grant", "`qapi grants list`"),
        ("role", "`qapi roles list`"),
        ("user", "`qapi users list`"),
        ("account", "`qapi users list`"),
        ("tenant", "`qapi tenants list`"),
        ("API key", "`qapi apikeys list`"),
        ("token key", "`qapi token-keys list`"),
        ("certificate", "`qapi certs list`"),
    ];
    let found = lists.iter().find(|(what, _)| message.contains(what));
    found.map_or("`list` of the same command", |(_, list)| list)
}

fn ids_of(refusal: &sdk::Refusal) -> String {
    let ids = refusal.details.get("ids").and_then(serde_json::Value::as_array);
    let ids = ids.into_iter().flatten().filter_map(serde_json::Value::as_str);
    ids.collect::<Vec<_>>().join(" ")
}

/// A command line that means nothing, in one line: what the parser says before it explains the usage.
pub fn misused(error: &clap::Error) -> Failure {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::unusable("a command is missing", "`qapi --help`, or --help after the last word");
    }
    let text = error.to_string();
    let what = text.split("\nUsage:").next().unwrap_or_default();
    let what = what.split("\nFor more information").next().unwrap_or_default();
    let mut tips = what.split("\n  tip: ");
    let what = tips.next().unwrap_or_default();
    // How to say a word that begins with a hyphen is no help to who mistyped an option.
    let tip = tips.filter_map(|tip| tip.lines().next()).find(|tip| !tip.starts_with("to pass")).unwrap_or_default();
    let tip = tip.split_once(" exist").and_then(|(_, similar)| similar.split_once(": ")).map_or(tip, |(_, like)| like);
    let advice = if tip.is_empty() { "--help after the command" } else { tip };
    Failure::unusable(what.trim_start_matches("error: "), advice)
}

/// Whether words of a command line ask for a verification, whose statuses are its own.
pub fn is_verification(words: impl IntoIterator<Item = String>) -> bool {
    let mut before = String::new();
    for word in words {
        let is_one = match before.as_str() {
            "image" | "artifact" => word.starts_with("verify"),
            // Tickets are no verification.
            "gate" => word != "ticket",
            _ => false,
        };
        if is_one {
            return true;
        }
        before = word;
    }
    false
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_wrong_command_line_is_one_line_too() {
        let misused = |words: &[&str]| {
            let error = crate::arguments::Arguments::try_parse_from(words).err().unwrap();
            let failure = misused(&error);
            assert_eq!(failure.exit, Exit::Unusable);
            failure.to_string()
        };
        assert_eq!(
            misused(&["qapi", "verify", "file"]),
            "error: the following required arguments were not provided: --signature <BASE64>; try --help after the command"
        );
        assert_eq!(misused(&["qapi", "secrets", "lst"]), "error: unrecognized subcommand 'lst'; try 'ls', 'list'");
        assert_eq!(
            misused(&["qapi", "roles", "create", "--nonsense"]),
            "error: unexpected argument '--nonsense' found; try --help after the command"
        );
        assert_eq!(
            misused(&["qapi", "secrets"]),
            "error: a command is missing; try `qapi --help`, or --help after the last word"
        );
    }

    #[test]
    fn what_verifies_has_statuses_of_its_own() {
        for (words, expected) in [
            ("image verify x", true),
            ("image verify-attestation x", true),
            ("artifact verify x", true),
            ("gate verify --nonsense", true),
            ("gate nonsense", true),
            ("gate ticket issue", false),
            ("gate ticket verify", false),
            ("image sign x", false),
            ("secrets get verify", false),
        ] {
            assert_eq!(is_verification(words.split(' ').map(str::to_owned)), expected, "{words}");
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::failed("first\nsecond", "a  b");
        assert_eq!(failure.to_string(), "error: first second; try a b");
        assert_eq!(failure.exit, Exit::Failed);
    }

    #[test]
    fn refused_input_is_told_from_refused_permission() {
        assert_eq!(exit_of(Some(ErrorCode::InvalidRequest)), Exit::Unusable);
        assert_eq!(exit_of(Some(ErrorCode::Unauthorized)), Exit::Failed);
        assert_eq!(exit_of(None), Exit::Failed);
    }
}
