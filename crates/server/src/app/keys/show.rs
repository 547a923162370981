//! Showing keys: rows, versions, public halves, and the private half of those made to be exported.

use api::error::ErrorCode;
use api::keys as wire;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::key::PublicKey;
use crypto::secret::SecretBytes;
use domain::authz::{Action, Authorized, Denied, ReadKeys, WriteKeys};
use domain::ids::KeyId;
use domain::key::Use;
use domain::scope::Scope;
use store::keys::{KeyFilter, KeyRef, KeyVersion, NamedKey};

use super::{Keys, description_cell};
use crate::app::key_cache::{LoadedKey, LoadedVersion};
use crate::app::paging::Page;
use crate::app::payload::base64_text;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl Keys {
    /// One key.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadKeys>, key: &KeyRef) -> Outcome<(wire::Key, i64)> {
        let mut entry = Entry::new("KeyRead", "keys", "CryptoKey");
        let result = async {
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name);
            Ok((self.spelled(ctx, &loaded)?, loaded.row.revision))
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// A key after a change, without an event of its own.
    pub(super) async fn show<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, id: KeyId) -> Outcome<wire::Key> {
        let loaded = self.load(ctx, auth, &KeyRef::Id(id)).await?;
        self.spelled(ctx, &loaded)
    }

    fn spelled(&self, ctx: &Ctx, key: &LoadedKey) -> Outcome<wire::Key> {
        let public = key.public().map(PublicKey::to_pem);
        spell(ctx, &key.row, public, u32::try_from(key.versions().len()).unwrap_or(u32::MAX))
    }

    /// A page of keys, or of their versions.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadKeys>, query: &wire::ListKeys) -> Outcome<wire::KeyList> {
        let entry = Entry::new("KeyListed", "keys", "CryptoKey");
        let result = self.list_now(ctx, auth, query).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn list_now(&self, ctx: &Ctx, auth: &Authorized<ReadKeys>, query: &wire::ListKeys) -> Outcome<wire::KeyList> {
        let page = Page::parse(query.page, query.page_size)?;
        let filter = KeyFilter {
            key_type: query.key_type.map(|key_type| key_type.as_str().to_owned()),
            states: query.status.as_deref().map(states).transpose()?.unwrap_or_default(),
        };
        let search = query.search.as_deref().unwrap_or_default().to_lowercase();
        let rows = self.core.store.named_keys(auth, &filter).await?;
        // What is deleted is only listed when asked for.
        let wanted = |row: &NamedKey| {
            row.folded.contains(&search) && (!filter.states.is_empty() || row.state.as_str() != "deleted")
        };
        let rows: Vec<NamedKey> = rows.into_iter().filter(wanted).collect();
        let total;
        let (keys, has_more) = if query.all_versions == Some(true) {
            let mut all = Vec::new();
            for row in &rows {
                all.extend(self.versions_as_keys(ctx, auth, row).await?);
            }
            total = all.len();
            page.cut(all)
        } else {
            total = rows.len();
            let (rows, has_more) = page.cut(rows);
            let mut keys = Vec::with_capacity(rows.len());
            for row in rows {
                let loaded = self.load(ctx, auth, &KeyRef::Id(row.id)).await?;
                keys.push(self.spelled(ctx, &loaded)?);
            }
            (keys, has_more)
        };
        Ok(wire::KeyList { keys, total: total as u64, page: page.number, page_size: page.size, has_more })
    }

    async fn versions_as_keys(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadKeys>,
        row: &NamedKey,
    ) -> Outcome<Vec<wire::Key>> {
        let loaded = self.load(ctx, auth, &KeyRef::Id(row.id)).await?;
        let whole = self.spelled(ctx, &loaded)?;
        let one = |version: &LoadedVersion| wire::Key {
            id: version.row.id.uuid(),
            version: version.row.version,
            created_at: version.row.created_at.into(),
            public_key: version.public.as_ref().map(PublicKey::to_pem),
            is_active: whole.is_active && version.row.revoked_at.is_none(),
            state: Some(version.row.state.clone()),
            key_id: Some(row.id.uuid()),
            ..whole.clone()
        };
        Ok(loaded.versions().iter().map(one).collect())
    }

    /// Every version, oldest first.
    pub async fn versions(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadKeys>,
        key: &KeyRef,
    ) -> Outcome<wire::KeyVersionList> {
        let mut entry = Entry::new("KeyVersionsListed", "keys", "CryptoKey");
        let result = async {
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name);
            Ok(wire::KeyVersionList {
                key_name: loaded.row.name.clone(),
                min_decryption_version: loaded.row.min_version,
                versions: loaded.versions().iter().map(|version| spell_version(&version.row)).collect(),
            })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// One version after a change, without an event of its own.
    pub(super) async fn show_version<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &KeyRef,
        version: u32,
    ) -> Outcome<wire::KeyVersion> {
        let loaded = self.load(ctx, auth, key).await?;
        let found = loaded.versions().iter().find(|found| found.row.version == version);
        found.map(|found| spell_version(&found.row)).ok_or_else(|| Problem::not_found("key version"))
    }

    /// The public half as PEM or DER.
    pub async fn export_public(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadKeys>,
        key: &KeyRef,
        format: Option<wire::KeyFormat>,
    ) -> Outcome<String> {
        let mut entry = Entry::new("PublicKeyRead", "keys", "CryptoKey");
        let result = async {
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name);
            let (public, _) = public_half(&loaded, None)?;
            spell_public(public, format.unwrap_or(wire::KeyFormat::Pem))
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// The public half with what else was asked for.
    pub async fn public(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadKeys>,
        key: &KeyRef,
        query: &wire::ReadPublicKey,
    ) -> Outcome<wire::PublicKey> {
        let mut entry = Entry::new("PublicKeyRead", "keys", "CryptoKey");
        let result = async {
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name);
            let format = query.format.unwrap_or(wire::KeyFormat::Raw);
            let (public, version) = public_half(&loaded, query.version)?;
            let all = self.spelled(ctx, &loaded)?;
            Ok(hydrate(
                &all,
                spell_public(public, format)?,
                format,
                version,
                query.include.as_deref().unwrap_or_default(),
            ))
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// The public half as a JWK (RFC 9964 for ML-DSA).
    pub async fn jwk(&self, ctx: &Ctx, auth: &Authorized<ReadKeys>, key: &KeyRef) -> Outcome<wire::Jwk> {
        let mut entry = Entry::new("PublicKeyRead", "keys", "CryptoKey");
        let result = async {
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name);
            let (public, _) = public_half(&loaded, None)?;
            jwk(public)
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Every active signing key's public versions as a JWK set.
    pub async fn jwks(&self, ctx: &Ctx, auth: &Authorized<ReadKeys>) -> Outcome<wire::JwkSet> {
        let entry = Entry::new("PublicKeyRead", "keys", "CryptoKey");
        let result = async {
            let filter = KeyFilter { key_type: Some("signing".to_owned()), states: vec!["active", "deprecated"] };
            let mut keys = Vec::new();
            for row in self.core.store.named_keys(auth, &filter).await? {
                let loaded = self.load(ctx, auth, &KeyRef::Id(row.id)).await?;
                for version in loaded.verifying(ctx.now())? {
                    keys.extend(version.public.as_ref().map(jwk).transpose()?);
                }
            }
            Ok(wire::JwkSet { keys })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// The private half of a key that was made to be exported.
    pub async fn export(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        request: &wire::ExportKey,
    ) -> Outcome<wire::ExportedKey> {
        let mut entry = Entry::new("KeyExported", "keys", "CryptoKey");
        let result = async {
            // What leaves here cannot be called back, so the right to change keys is not enough.
            if !ctx.principal.scopes.allows(Scope::Admin) {
                return Err(Denied { required: Scope::Admin }.into());
            }
            if auth.is_confined() {
                return Err(Problem::new(ErrorCode::Forbidden, "A confined credential takes no private half away."));
            }
            let loaded = self.load(ctx, auth, key).await?;
            entry.resource(loaded.row.id, &loaded.row.name).algorithm(loaded.algorithm);
            if !loaded.row.exportable {
                return Err(Problem::new(ErrorCode::Forbidden, "The key was not made to be exported."));
            }
            let version = request.version.unwrap_or(loaded.row.current_version);
            if loaded.versions().iter().all(|found| found.row.version != version) {
                return Err(Problem::not_found("key version"));
            }
            entry.version(version);
            let found = loaded.version(Use::Export, version, ctx.now())?;
            // PEM has no form for a symmetric key.
            let usual = if found.public.is_some() { wire::KeyFormat::Pem } else { wire::KeyFormat::Raw };
            let format = request.format.unwrap_or(usual);
            let material = self.material(ctx, &loaded, found, format)?;
            let (key_id, algorithm) = (loaded.row.id.uuid(), loaded.row.algorithm.clone());
            Ok(wire::ExportedKey { key_id, algorithm, version, format, key_material: material })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    fn material(
        &self,
        ctx: &Ctx,
        key: &LoadedKey,
        version: &LoadedVersion,
        format: wire::KeyFormat,
    ) -> Outcome<api::secret::SecretText> {
        let private = key.private(&ctx.keys, version)?;
        let text = |bytes: SecretBytes| {
            let text = std::str::from_utf8(bytes.expose()).map(api::secret::SecretText::copy_from);
            text.map_err(|error| Problem::internal("exporting a key", error))
        };
        let unsupported = |_| Problem::new(ErrorCode::Unsupported, "This key has no such form: try another format.");
        match format {
            wire::KeyFormat::Pem => text(private.to_pem().map_err(unsupported)?),
            wire::KeyFormat::Jwk => text(private.to_jwk().map_err(unsupported)?),
            wire::KeyFormat::Der | wire::KeyFormat::Pkcs8 => {
                Ok(base64_text(private.to_pkcs8_der().map_err(unsupported)?.expose()))
            }
            // The stored form is one byte saying which form it is, and the raw key.
            wire::KeyFormat::Raw => Ok(base64_text(private.to_stored().expose().get(1..).unwrap_or_default())),
        }
    }
}

fn states(status: &str) -> Outcome<Vec<&'static str>> {
    Ok(match status.to_ascii_lowercase().as_str() {
        "active" => vec!["active"],
        "inactive" | "disabled" => vec!["inactive"],
        "scheduled_deletion" | "pending_deletion" => vec!["scheduled_deletion"],
        "deleted" => vec!["deleted"],
        "deprecated" => vec!["deprecated"],
        "revoked" => vec!["revoked"],
        _ => return Err(Problem::invalid("status is active, inactive, scheduled_deletion or deleted.")),
    })
}

fn public_half(key: &LoadedKey, version: Option<u32>) -> Outcome<(&PublicKey, u32)> {
    let version = version.unwrap_or(key.row.current_version);
    let found = key
        .versions()
        .iter()
        .find(|found| found.row.version == version)
        .ok_or_else(|| Problem::not_found("key version"))?;
    let symmetric = || Problem::new(ErrorCode::KeyWrongType, "A symmetric key has no public half.");
    Ok((found.public.as_ref().ok_or_else(symmetric)?, version))
}

fn spell_public(public: &PublicKey, format: wire::KeyFormat) -> Outcome<String> {
    match format {
        wire::KeyFormat::Raw => Ok(STANDARD.encode(public.raw())),
        wire::KeyFormat::Pem => Ok(public.to_pem()),
        wire::KeyFormat::Der | wire::KeyFormat::Pkcs8 => Ok(STANDARD.encode(public.to_spki_der())),
        wire::KeyFormat::Jwk => Ok(public.to_jwk(Some(&public.thumbprint())).to_string()),
    }
}

fn jwk(public: &PublicKey) -> Outcome<wire::Jwk> {
    match public.to_jwk(Some(&public.thumbprint())) {
        serde_json::Value::Object(members) => Ok(wire::Jwk(members)),
        _ => Err(Problem::internal("writing a JWK", "it is not an object")),
    }
}

fn hydrate(
    all: &wire::Key,
    public_key: String,
    format: wire::KeyFormat,
    version: u32,
    include: &str,
) -> wire::PublicKey {
    let tokens: Vec<String> = include.split(',').map(|token| token.trim().to_ascii_lowercase()).collect();
    let has = |name: &str| tokens.iter().any(|token| token == name || token == "all" || token == "metadata");
    wire::PublicKey {
        key_id: all.id,
        algorithm: all.algorithm.clone(),
        version,
        public_key,
        format,
        name: has("name").then(|| all.name.clone()),
        description: all.description.clone().filter(|_| has("description")),
        key_type: has("keytype").then_some(all.key_type),
        is_post_quantum: has("ispostquantum").then_some(all.is_post_quantum),
        is_active: has("isactive").then_some(all.is_active),
        is_default: has("isdefault").then_some(all.is_default),
        is_favorite: has("isfavorite").then_some(all.is_favorite),
        created_at: has("createdat").then_some(all.created_at),
        expires_at: all.expires_at.filter(|_| has("expiresat")),
        last_rotated_at: all.last_rotated_at.filter(|_| has("lastrotatedat")),
        labels: all.labels.clone().filter(|_| has("labels")),
        state: all.state.clone().filter(|_| has("state")),
        scheduled_deletion_date: all.scheduled_deletion_date.filter(|_| has("scheduleddeletiondate")),
    }
}

fn spell(ctx: &Ctx, row: &NamedKey, public_key: Option<String>, version_count: u32) -> Outcome<wire::Key> {
    let broken = |what: &str| Problem::internal("showing a key", what);
    let algorithm: Algorithm = row.algorithm.parse().map_err(|_| broken("algorithm"))?;
    let description =
        row.description.as_ref().map(|sealed| ctx.keys.cells.open(description_cell(&row.id), sealed)).transpose()?;
    let description = description.map(|text| String::from_utf8_lossy(text.expose()).into_owned());
    Ok(wire::Key {
        id: row.id.uuid(),
        name: row.name.clone(),
        key_type: row.key_type.parse().map_err(|_| broken("type"))?,
        algorithm: row.algorithm.clone(),
        purpose: row.key_type.clone(),
        status: row.state.status().parse().map_err(|_| broken("status"))?,
        is_default: row.is_default,
        version: row.current_version,
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
        description,
        public_key,
        expires_at: row.expires_at.map(Into::into),
        labels: Some(serde_json::from_str(&row.labels).map_err(|_| broken("labels"))?),
        min_decryption_version: row.min_version,
        version_count,
        is_post_quantum: algorithm.is_post_quantum(),
        is_active: matches!(row.state.as_str(), "active" | "deprecated"),
        is_favorite: row.is_favorite,
        last_rotated_at: row.rotated_at.map(Into::into),
        state: Some(row.state.as_str().to_owned()),
        scheduled_deletion_date: row.state.deletion_at().map(Into::into),
        key_id: None,
        new_version: None,
        previous_version: None,
        rotated_at: None,
        warnings: Vec::new(),
    })
}

fn spell_version(row: &KeyVersion) -> wire::KeyVersion {
    wire::KeyVersion {
        id: row.id.uuid(),
        version: row.version,
        created_at: row.created_at.into(),
        rotated_at: row.rotated_at.map(Into::into),
        revoked_at: row.revoked_at.map(Into::into),
        is_active: row.state == "active",
        state: row.state.clone(),
    }
}
