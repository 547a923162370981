//! What is asked for, out of whichever dialect it was said in.

use api::certificates as wire;
use api::error::ErrorCode;
use crypto::algorithm::Algorithm;
use crypto::base64;
use crypto::x509::{AltName, DistinguishedName, KeyUsage, Purpose, SigningRequest, pem};
use domain::ids::{AuthorityId, CertificateId};
use domain::pki::issuance::{Strictness, Wish};
use domain::pki::lifetime::{self, HOUR_S};
use domain::pki::names::Learning;
use domain::pki::profile::DEFAULT;
use store::certificates::StoredCertificate;

use crate::problem::{Outcome, Problem};

/// A request for a certificate, read.
pub struct Asked {
    pub(super) wish: Wish,
    pub(super) profile: String,
    pub(super) authority: Which,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) request: Option<SigningRequest>,
    pub(super) learning: Learning,
    pub(super) renews: Option<CertificateId>,
}

/// Which authority signs.
#[derive(Clone)]
pub(super) enum Which {
    /// The one that belongs to the profile.
    Usual,
    /// One of this id, or what it was rotated to.
    Of(AuthorityId),
}

impl Asked {
    /// Reads a request to issue.
    pub fn to_issue(request: &wire::IssueCertificate, query: &wire::Issuing) -> Outcome<Self> {
        let signing_request = request.csr.as_deref().map(signing_request).transpose()?;
        let csr = signing_request.as_ref();
        let usage = usage(request.key_usage.as_ref())? | csr.and_then(SigningRequest::key_usage).unwrap_or_default();
        let mut purposes = purposes(request.extended_key_usage.as_ref())?;
        if purposes.is_empty() {
            purposes = csr.map(|csr| csr.purposes().to_vec()).unwrap_or_default();
        }
        let wish = Wish {
            subject: subject(request, csr)?,
            names: names(request.subject_alternative_names.as_ref(), csr)?,
            usage,
            purposes,
            lifetime_s: lifetime(request.ttl.as_ref(), request.validity_hours)?,
            strictness: strictness(request.strict.or(query.strict)),
        };
        Ok(Self {
            wish,
            profile: request.profile.clone().unwrap_or_else(|| DEFAULT.to_owned()),
            authority: request.ca_id.map_or(Which::Usual, |id| Which::Of(id.into())),
            algorithm: algorithm(request.algorithm.as_deref().or(request.key_type.as_deref()))?,
            request: signing_request,
            learning: Learning::On,
            renews: None,
        })
    }

    /// Reads a request to renew `old`: its names and subject, whatever the new request says of them.
    pub(super) fn to_renew(
        request: &wire::RenewCertificate,
        query: &wire::Issuing,
        old: &StoredCertificate,
    ) -> Outcome<Self> {
        let broken = |what: &str| Problem::internal("reading a certificate's row", what);
        let signing_request = request.csr.as_deref().map(signing_request).transpose()?;
        let names = old.names.iter().map(|name| name.parse()).collect::<Result<Vec<AltName>, _>>();
        let names = names.map_err(|_| broken("its names"))?;
        if let Some(csr) = &signing_request {
            refuse_new_names(csr, &names)?;
        }
        let old_algorithm = old.algorithm.parse().map_err(|_| broken("its algorithm"))?;
        let wish = Wish {
            subject: old.subject.parse().map_err(|_| broken("its subject"))?,
            names,
            lifetime_s: lifetime(request.ttl.as_ref(), request.validity_hours)?,
            strictness: strictness(request.strict.or(query.strict)),
            ..Wish::default()
        };
        Ok(Self {
            wish,
            profile: old.profile.clone(),
            authority: Which::Of(old.ca),
            algorithm: algorithm(request.algorithm.as_deref())?.or(Some(old_algorithm)),
            request: signing_request,
            learning: Learning::Off,
            renews: Some(old.id),
        })
    }

    /// A wish of the platform's own.
    pub(super) fn of_the_platform(names: &[AltName], profile: &str, algorithm: Algorithm) -> Self {
        Self {
            wish: Wish { names: names.to_vec(), ..Wish::default() },
            profile: profile.to_owned(),
            authority: Which::Usual,
            algorithm: Some(algorithm),
            request: None,
            learning: Learning::On,
            renews: None,
        }
    }
}

/// A renewal gives what there was. Who wants another name asks for a certificate.
fn refuse_new_names(csr: &SigningRequest, names: &[AltName]) -> Outcome<()> {
    let asked = requested_names(csr)?;
    let new: Vec<String> = asked.iter().filter(|name| !names.contains(name)).map(ToString::to_string).collect();
    if new.is_empty() {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::NameNotAllowed, format!("A renewal has no new names: {}.", new.join(", ")))
        .detail("names", new))
}

fn signing_request(text: &str) -> Outcome<SigningRequest> {
    let unusable = |why: String| Problem::invalid(format!("csr is not a usable PKCS#10 request: {why}."));
    let der = if pem::is_pem(text.as_bytes()) {
        let blocks = pem::blocks(text).map_err(|error| unusable(error.to_string()))?;
        let is_request = |label: &str| label == pem::REQUEST || label == "NEW CERTIFICATE REQUEST";
        match <[pem::Block; 1]>::try_from(blocks) {
            Ok([block]) if is_request(&block.label) => block.der,
            _ => return Err(unusable("one PEM block of a certificate request is wanted".to_owned())),
        }
    } else {
        let compact: String = text.split_whitespace().collect();
        base64::decode(compact.as_bytes()).ok_or_else(|| unusable("neither PEM nor base64".to_owned()))?
    };
    SigningRequest::parse(&der).map_err(|error| unusable(error.to_string()))
}

/// What was asked for in words goes before what stands in the request. Either is read and written anew: only attributes
/// that names here have come through.
fn subject(request: &wire::IssueCertificate, csr: Option<&SigningRequest>) -> Outcome<DistinguishedName> {
    let bad = |error: crypto::Error| Problem::invalid(format!("subject is not usable: {error}."));
    if let Some(text) = request.subject.as_deref().filter(|text| !text.trim().is_empty()) {
        // A text without an attribute is a common name, as `openssl` users expect of nobody and article readers of us.
        let text = if text.contains('=') { text.to_owned() } else { common_name(text) };
        return text.parse().map_err(bad);
    }
    if let Some(name) = request.common_name.as_deref().filter(|name| !name.trim().is_empty()) {
        return common_name(name).parse().map_err(bad);
    }
    csr.map_or_else(|| Ok(DistinguishedName::default()), |csr| csr.subject().to_string().parse().map_err(bad))
}

fn common_name(name: &str) -> String {
    let escaped: String = name
        .trim()
        .chars()
        .flat_map(|letter| if matches!(letter, ',' | '\\') { vec!['\\', letter] } else { vec![letter] })
        .collect();
    format!("CN={escaped}")
}

fn names(asked: Option<&wire::Words>, csr: Option<&SigningRequest>) -> Outcome<Vec<AltName>> {
    let Some(words) = asked.filter(|words| !words.0.is_empty()) else {
        return csr.map_or_else(|| Ok(Vec::new()), requested_names);
    };
    let read = |word: &String| {
        word.parse().map_err(|error| Problem::invalid(format!("{word:?} in subjectAlternativeNames: {error}.")))
    };
    words.0.iter().map(read).collect()
}

fn requested_names(csr: &SigningRequest) -> Outcome<Vec<AltName>> {
    let unusable = || Problem::invalid("csr asks for an alternative name of a kind or form that is not offered.");
    csr.alt_names().iter().map(|name| name.as_alt_name().ok_or_else(unusable)).collect()
}

fn usage(words: Option<&wire::Words>) -> Outcome<KeyUsage> {
    let words = words.map(|words| words.0.as_slice()).unwrap_or_default();
    let read = |word: &String| word.parse().map_err(|_| Problem::invalid(format!("{word:?} is no key usage.")));
    words.iter().map(read).collect()
}

fn purposes(words: Option<&wire::Words>) -> Outcome<Vec<Purpose>> {
    let words = words.map(|words| words.0.as_slice()).unwrap_or_default();
    let read = |word: &String| {
        let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        match plain.as_str() {
            "serverauthentication" | "tlswebserverauthentication" => Ok(Purpose::ServerAuth),
            "clientauthentication" | "tlswebclientauthentication" => Ok(Purpose::ClientAuth),
            _ => word.parse().map_err(|_| Problem::invalid(format!("{word:?} is no extended key usage."))),
        }
    };
    words.iter().map(read).collect()
}

fn lifetime(ttl: Option<&wire::Ttl>, hours: Option<u32>) -> Outcome<Option<i64>> {
    match (ttl, hours) {
        (Some(ttl), _) => {
            let seconds = lifetime::parse(&ttl.0).map_err(|error| Problem::invalid(format!("ttl is {error}.")))?;
            Ok(Some(seconds))
        }
        (None, hours) => Ok(hours.map(|hours| i64::from(hours) * HOUR_S)),
    }
}

fn algorithm(name: Option<&str>) -> Outcome<Option<Algorithm>> {
    let unknown = |_| Problem::new(ErrorCode::Unsupported, "The algorithm is not one that is offered here.");
    name.map(|name| name.parse().map_err(unknown)).transpose()
}

fn strictness(strict: Option<bool>) -> Strictness {
    if strict == Some(true) { Strictness::Strict } else { Strictness::Lenient }
}
