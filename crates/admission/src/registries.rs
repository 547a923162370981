//! Registries, asked for the digest of a tag and for what lies beside an image.
//!
//! Each registry has its own places: one that is slow keeps nobody waiting who wants something of another.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use artifact::digest::Digest;
use artifact::policy::Endpoint;
use artifact::registry::{Client, Error, Keychain, Options};
use tokio::sync::Semaphore;

use crate::config::RegistrySection;
use crate::evidence::{Asking, Evidence, Place, Question, Registry};
use crate::numbers::Numbers;
use crate::remembered::{Failure, Lookup};
use crate::review::chain;

/// All registries that a policy lists.
pub struct Registries {
    section: RegistrySection,
    /// By address, and whether it is spoken to without TLS.
    doors: Mutex<HashMap<(String, bool), Door>>,
    numbers: Arc<Numbers>,
}

/// The way to one registry.
#[derive(Clone)]
struct Door {
    client: Client,
    places: Arc<Semaphore>,
}

/// One request, and all requests for one image. Nobody waits that long, but the next one who asks has the answer.
const REQUEST: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(20);
const RETRIES: u32 = 2;

impl Registries {
    /// Nobody is asked yet; credentials and authorities have to be usable.
    pub fn new(section: &RegistrySection, numbers: Arc<Numbers>) -> anyhow::Result<Self> {
        let registries = Self { section: section.clone(), doors: Mutex::default(), numbers };
        client(section, None)?;
        Ok(registries)
    }

    fn door(&self, endpoint: &Endpoint) -> Result<Door, Failure> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (endpoint.host.clone(), endpoint.danger_plain_http);
        if let Some(door) = doors.get(&key) {
            return Ok(door.clone());
        }
        let client = client(&self.section, Some(endpoint)).map_err(|error| Failure::Unusable(chain(&error)))?;
        let door = Door { client, places: Arc::new(Semaphore::new(self.section.lookups)) };
        // As many as the policies since the start have listed.
        doors.insert(key, door.clone());
        Ok(door)
    }

    /// Asks at the registry's door, when there is a place, and counts it.
    fn asked<T, F>(&self, place: &Place, ask: impl FnOnce(Client) -> F + Send + 'static) -> Lookup<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let (door, numbers) = (self.door(&place.endpoint), Arc::clone(&self.numbers));
        Box::pin(async move {
            let door = door?;
            let _place = door.places.acquire().await.map_err(|_| Failure::Unreachable("stopping".to_owned()))?;
            let began = Instant::now();
            let outcome = ask(door.client.clone()).await;
            numbers.looked_up(label(&outcome), began.elapsed());
            outcome
        })
    }
}

impl Registry for Registries {
    fn resolve(&self, place: &Place, question: Asking) -> Lookup<Digest> {
        self.asked(place, |client| async move {
            let resolved = question.source(&client).resolve(&question.reference).await;
            resolved.map_err(Failure::from)
        })
    }

    fn beside(&self, place: &Place, question: Question) -> Lookup<Arc<Evidence>> {
        self.asked(place, |client| async move {
            let (asking, image) = (&question.asking, &question.image);
            let found = asking.source(&client).evidence(asking.reference.repository(), image).await;
            found.map(|carriers| Evidence::new(carriers, &asking.policy)).map_err(Failure::from)
        })
    }
}

fn client(section: &RegistrySection, endpoint: Option<&Endpoint>) -> Result<Client, Error> {
    let mut options = Options::default()
        .with_user_agent(concat!("qapi-admission/", env!("CARGO_PKG_VERSION")))
        .with_timeout(REQUEST)
        .with_patience(PATIENCE)
        .with_retries(RETRIES);
    if let Some(authorities) = &section.authorities_file {
        options = options.with_authorities(authorities);
    }
    // As `artifact::gate::source::options` does for all registries of one policy: unencrypted only when it says so.
    options = match endpoint {
        Some(endpoint) if endpoint.danger_plain_http => options.with_danger_plain_http(&endpoint.host),
        Some(endpoint) => options.with_encrypted_loopback(&endpoint.host),
        None => options,
    };
    // The file alone: where else a person's tools would look is nothing to a service.
    let file = section.credentials_file.clone().map(PathBuf::into_os_string);
    let keychain = Keychain::from_variables(move |name| file.clone().filter(|_| name == "REGISTRY_AUTH_FILE"));
    Client::new(options, keychain)
}

fn label<T>(outcome: &Result<T, Failure>) -> &'static str {
    match outcome {
        Ok(_) => "answered",
        Err(Failure::NotThere(_)) => "absent",
        Err(Failure::Unreachable(_)) => "unreachable",
        Err(Failure::Unusable(_)) => "unusable",
    }
}
