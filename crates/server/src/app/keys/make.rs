//! New keys: generated here, or imported.

use api::error::ErrorCode;
use api::keys as wire;
use api::limits::{KEY_DESCRIPTION_CHARS, LABEL_CHARS, LABELS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::import::{Format, Imported, import};
use crypto::key::{PrivateKey, PublicKey};
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, WriteKeys};
use domain::ids::{KeyId, KeyVersionId};
use domain::key::State;
use domain::name::KeyName;
use domain::time::Timestamp;
use store::keys::{KeyVersion, NamedKey, clear_default, insert_key, insert_version};

use super::{Keys, key_type, may_set_default, outside_limits, relabelled, seal_description};
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The material of a new version.
enum Material {
    Private(PrivateKey),
    Public(PublicKey),
}

/// What the two ways of making a key have in common.
struct Wanted<'a> {
    name: &'a str,
    key_type: wire::KeyType,
    algorithm: &'a str,
    description: Option<&'a str>,
    expires_at: Option<Timestamp>,
    labels: &'a [String],
    is_default: bool,
    exportable: bool,
}

/// Both requests spell these fields alike and share no type, because the published document names each by itself.
macro_rules! wanted {
    ($request:ident) => {
        Wanted {
            name: &$request.name,
            key_type: $request.key_type,
            algorithm: &$request.algorithm,
            description: $request.description.as_deref(),
            expires_at: $request.expires_at.map(Timestamp::from),
            labels: $request.labels.as_deref().unwrap_or_default(),
            is_default: $request.set_as_default,
            exportable: $request.exportable,
        }
    };
}

impl Keys {
    /// Generates a key.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        request: &wire::CreateKey,
    ) -> Outcome<wire::Key> {
        let mut entry = Entry::new("KeyCreated", "keys", "CryptoKey");
        let wanted = wanted!(request);
        let result = async {
            let algorithm = wanted.algorithm()?;
            let material = Material::Private(PrivateKey::generate(algorithm, &*self.core.entropy)?);
            self.add(ctx, auth, &wanted, algorithm, &material, &mut entry).await
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Imports a key, or the public half of one.
    pub async fn import(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        request: &wire::ImportKey,
    ) -> Outcome<wire::Key> {
        let mut entry = Entry::new("KeyImported", "keys", "CryptoKey");
        let wanted = wanted!(request);
        let result = async {
            let algorithm = wanted.algorithm()?;
            let material = material(algorithm, request)?;
            if matches!(&material, Material::Private(private) if !private.is_seed()) {
                entry.note("imported in expanded form");
            }
            self.add(ctx, auth, &wanted, algorithm, &material, &mut entry).await
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn add(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        wanted: &Wanted<'_>,
        algorithm: Algorithm,
        material: &Material,
        entry: &mut Entry,
    ) -> Outcome<wire::Key> {
        let id = KeyId::from_random(bytes(&*self.core.entropy));
        let key = wanted.row(self, ctx, auth, id, algorithm)?;
        if !auth.admits_new(&key.name) {
            return Err(outside_limits(&key.name));
        }
        if key.is_default {
            may_set_default(auth)?;
        }
        let version = self.new_version(ctx, id, 1, material)?;
        entry.resource(id, &key.name).algorithm(algorithm).version(1);
        let statements = if key.is_default { vec![clear_default(auth, &key.key_type)] } else { Vec::new() };
        let statements =
            statements.into_iter().chain([insert_key(auth, &key), insert_version(auth, id, &version)]).collect();
        self.commit(ctx, "make key", statements, self.core.trail.event(ctx, entry)?).await?;
        entry.committed();
        self.show(ctx, auth, id).await
    }

    /// A version row around new material.
    fn new_version(&self, ctx: &Ctx, key: KeyId, version: u32, material: &Material) -> Outcome<KeyVersion> {
        let random = &*self.core.entropy;
        let (public, sealed) = match material {
            Material::Public(public) => (Some(public.raw().to_vec()), None),
            Material::Private(private) => (
                private.public_key().map(|public| public.raw().to_vec()),
                Some(ctx.keys.seal_key(key, version, private, random)?),
            ),
        };
        Ok(KeyVersion {
            id: KeyVersionId::from_random(bytes(random)),
            version,
            state: "active".to_owned(),
            public,
            sealed,
            kek_version: ctx.keys.kek_version,
            created_at: ctx.now(),
            rotated_at: None,
            revoked_at: None,
        })
    }

    /// A freshly generated next version of a key.
    pub(super) fn next_version(
        &self,
        ctx: &Ctx,
        key: KeyId,
        version: u32,
        algorithm: Algorithm,
    ) -> Outcome<KeyVersion> {
        let private = PrivateKey::generate(algorithm, &*self.core.entropy)?;
        self.new_version(ctx, key, version, &Material::Private(private))
    }
}

impl Wanted<'_> {
    fn algorithm(&self) -> Outcome<Algorithm> {
        let unknown = || Problem::new(ErrorCode::Unsupported, "The algorithm is not one that is offered here.");
        let algorithm: Algorithm = self.algorithm.parse().map_err(|_| unknown())?;
        if key_type(algorithm) != self.key_type.as_str() {
            let message = format!("{algorithm} is of keyType {}, not {}.", key_type(algorithm), self.key_type.as_str());
            return Err(Problem::invalid(message));
        }
        Ok(algorithm)
    }

    fn row(
        &self,
        keys: &Keys,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        id: KeyId,
        algorithm: Algorithm,
    ) -> Outcome<NamedKey> {
        let name = KeyName::parse(self.name)?;
        check_description(self.description)?;
        check_labels(self.labels)?;
        if self.expires_at.is_some_and(|at| at <= ctx.now()) {
            return Err(Problem::invalid("expiresAt lies in the past."));
        }
        Ok(NamedKey {
            id,
            name: name.as_str().to_owned(),
            folded: name.folded(),
            key_type: self.key_type.as_str().to_owned(),
            algorithm: algorithm.to_string(),
            state: State::Active,
            is_default: self.is_default,
            is_favorite: false,
            current_version: 1,
            min_version: 1,
            revision: 1,
            description: seal_description(&keys.core, ctx, &id, self.description)?,
            labels: relabelled(auth, None, self.labels)?,
            expires_at: self.expires_at,
            rotated_at: None,
            created_at: ctx.now(),
            updated_at: ctx.now(),
            exportable: self.exportable,
        })
    }
}

/// Refuses a description over the contract's length.
pub(super) fn check_description(text: Option<&str>) -> Outcome<()> {
    if text.is_some_and(|text| text.chars().count() > KEY_DESCRIPTION_CHARS) {
        return Err(Problem::invalid(format!("description has at most {KEY_DESCRIPTION_CHARS} characters.")));
    }
    Ok(())
}

/// Refuses labels over the limits.
pub(super) fn check_labels(labels: &[String]) -> Outcome<()> {
    if labels.len() > LABELS || labels.iter().any(|label| label.chars().count() > LABEL_CHARS) {
        return Err(Problem::invalid(format!("At most {LABELS} labels of at most {LABEL_CHARS} characters.")));
    }
    Ok(())
}

/// Reads imported material: base64 of it, or a bare PEM or JWK.
fn material(algorithm: Algorithm, request: &wire::ImportKey) -> Outcome<Material> {
    let text = request.key_material.expose().trim();
    let is_bare = text.starts_with("-----") || text.starts_with('{');
    let bytes = if is_bare { SecretBytes::copy_from(text.as_bytes()) } else { decoded(text)? };
    let imported = import(algorithm, format(request.format, bytes.expose()), bytes.expose(), request.public_key_only);
    match imported {
        Ok(Imported::Private(private)) => Ok(Material::Private(private)),
        Ok(Imported::Public(public)) => Ok(Material::Public(public)),
        Err(error) => Err(Problem::invalid(format!("keyMaterial is not a usable {algorithm} key: {error}."))),
    }
}

fn decoded(text: &str) -> Outcome<SecretBytes> {
    let bytes = STANDARD.decode(text);
    bytes.map(SecretBytes::new).map_err(|_| Problem::invalid("keyMaterial is neither base64 nor a bare PEM or JWK."))
}

/// The format that was named, or the one the bytes show.
fn format(named: Option<wire::KeyFormat>, bytes: &[u8]) -> Format {
    match named {
        Some(wire::KeyFormat::Raw) => Format::Raw,
        Some(wire::KeyFormat::Pem) => Format::Pem,
        Some(wire::KeyFormat::Der) => Format::Der,
        Some(wire::KeyFormat::Pkcs8) => Format::Pkcs8,
        Some(wire::KeyFormat::Jwk) => Format::Jwk,
        None if bytes.starts_with(b"-----") => Format::Pem,
        None if bytes.starts_with(b"{") => Format::Jwk,
        None if bytes.starts_with(&[0x30]) => Format::Der,
        None => Format::Raw,
    }
}
