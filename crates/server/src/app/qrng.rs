//! Entropy on request: what the mixer gives, and an honest word about what fed it.
//!
//! The output is always the mixer's. It is called quantum only when a healthy source whose operator vouches for it fed
//! the mix; without one the caller must have said that a CSPRNG will do (contract 4.7).

use api::error::ErrorCode;
use api::limits::{ENTROPY_BYTES_MAX, ENTROPY_CALLS_PER_MINUTE};
use api::qrng::{DrawEntropy, DrawnEntropy, Entropy, EntropyFormat, SourceDetails};
use api::secret::SecretText;
use api::transit::{BytesFormat, TransitRandom, TransitRandomBytes};
use domain::authz::{Actor, Authorized, DrawEntropy as MayDraw};
use domain::rate::Bucket;
use std::collections::HashMap;
use std::sync::Mutex;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Core;
use super::payload::base64_text;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Draws entropy.
pub struct Qrng {
    core: Core,
    calls: Mutex<HashMap<Actor, Bucket>>,
    quota_mb: u32,
}

/// Whether a CSPRNG without a quantum source will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It will.
    Allowed,
    /// It will not.
    Refused,
}

impl Qrng {
    /// With a monthly quota for each tenant.
    pub fn new(core: Core, quota_mb: u32) -> Self {
        Self { core, calls: Mutex::default(), quota_mb }
    }

    /// Draws in a format.
    pub async fn draw(
        &self,
        ctx: &Ctx,
        _: &Authorized<MayDraw>,
        request: &DrawEntropy,
        fallback: Fallback,
    ) -> Outcome<DrawnEntropy> {
        let mut entry = Entry::new("EntropyDrawn", "qrng", "Entropy");
        let result = self.draw_now(ctx, request, fallback, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn draw_now(
        &self,
        ctx: &Ctx,
        request: &DrawEntropy,
        fallback: Fallback,
        entry: &mut Entry,
    ) -> Outcome<DrawnEntropy> {
        let format = format(request)?;
        self.within_rate(ctx)?;
        let mut bytes = Zeroizing::new(vec![0; request.bytes as usize]);
        let source = self.fill(&mut bytes);
        if !source.is_quantum && fallback == Fallback::Refused {
            let message = "No quantum source is healthy; send X-Allow-Csprng: true to take the CSPRNG's output.";
            return Err(Problem::new(ErrorCode::QrngUnavailable, message).retry_after(30));
        }
        let used = self.consume(ctx, request.bytes).await?;
        entry.note(format!("bytes={} source={}", request.bytes, source.name));
        let limit = f64::from(self.quota_mb);
        Ok(DrawnEntropy {
            entropy: spell(&bytes, format),
            format,
            source: source.name,
            source_details: SourceDetails {
                provider: source.provider,
                is_quantum: source.is_quantum,
                served_at: ctx.now().into(),
            },
            consumed_bytes: request.bytes,
            quota_limit_mb: limit,
            quota_remaining_mb: (limit - used as f64 / MEGABYTE).max(0.0),
            request_id: ctx.origin.request_id.to_string(),
        })
    }

    /// Random bytes for transit's clients.
    pub async fn random(&self, ctx: &Ctx, request: &TransitRandom) -> Outcome<TransitRandomBytes> {
        let mut entry = Entry::new("EntropyDrawn", "qrng", "Entropy");
        entry.channel("transit");
        let result = self.random_now(request);
        self.core.trail.conclude(ctx, entry, result).await
    }

    fn random_now(&self, request: &TransitRandom) -> Outcome<TransitRandomBytes> {
        let count = request.bytes.unwrap_or(32);
        check_count(count)?;
        let mut bytes = Zeroizing::new(vec![0; count as usize]);
        let source = self.fill(&mut bytes);
        let format = request.format.unwrap_or(BytesFormat::Base64);
        let data = match format {
            BytesFormat::Base64 => base64_text(&bytes),
            BytesFormat::Hex => SecretText::new(hex::encode(&*bytes)),
        };
        Ok(TransitRandomBytes { data, bytes: count, format, source: source.name })
    }

    fn within_rate(&self, ctx: &Ctx) -> Outcome<()> {
        let Ok(mut calls) = self.calls.lock() else { return Ok(()) };
        let bucket =
            calls.entry(ctx.principal.actor).or_insert_with(|| Bucket::full(ENTROPY_CALLS_PER_MINUTE, ctx.now()));
        bucket.take(ctx.now()).map(|_| ()).map_err(|exhausted| {
            let message = format!("More than {} calls a minute.", exhausted.limit);
            Problem::new(ErrorCode::RateLimitExceeded, message).retry_after(exhausted.retry_after_s)
        })
    }

    /// Counts against the month's quota; what is used after this call.
    async fn consume(&self, ctx: &Ctx, bytes: u32) -> Outcome<u64> {
        let quota = u64::from(self.quota_mb) << 20;
        let used = self.core.store.consume_entropy(ctx.tenant(), month(ctx), u64::from(bytes), quota).await?;
        used.ok_or_else(|| {
            Problem::new(ErrorCode::QuotaExceeded, "The month's entropy is used up.")
                .detail("resetsAt", next_month(ctx))
                .retry_after(3_600)
        })
    }

    /// Fills from a fresh mix, and names what was in it: a source counts as quantum only if it delivered for these bytes.
    fn fill(&self, out: &mut [u8]) -> Named {
        let provenance = self.core.entropy.fill_with_provenance(out);
        let is_quantum =
            |name: &&String| self.core.entropy.status().iter().any(|source| source.is_quantum && source.name == **name);
        match provenance.sources.iter().find(is_quantum).filter(|_| provenance.is_quantum) {
            Some(name) => Named { name: name.clone(), provider: name.clone(), is_quantum: true },
            None => Named { name: "csprng".to_owned(), provider: "SystemRandom".to_owned(), is_quantum: false },
        }
    }
}

struct Named {
    name: String,
    provider: String,
    is_quantum: bool,
}

const MEGABYTE: f64 = (1_u64 << 20) as f64;

fn check_count(count: u32) -> Outcome<()> {
    if (1..=ENTROPY_BYTES_MAX).contains(&count) {
        return Ok(());
    }
    Err(Problem::invalid(format!("bytes lies between 1 and {ENTROPY_BYTES_MAX}.")))
}

fn format(request: &DrawEntropy) -> Outcome<EntropyFormat> {
    check_count(request.bytes)?;
    let name = request.format.as_deref().unwrap_or("raw");
    let unknown = || Problem::new(ErrorCode::InvalidFormat, "format is one of raw, hex, uuid, int32 and int64.");
    let format: EntropyFormat = name.parse().map_err(|_| unknown())?;
    if !request.bytes.is_multiple_of(format.element_bytes()) {
        let message = format!("bytes must be a multiple of {} for {}.", format.element_bytes(), format.as_str());
        return Err(Problem::new(ErrorCode::InvalidFormat, message));
    }
    Ok(format)
}

fn spell(bytes: &[u8], format: EntropyFormat) -> Entropy {
    let chunk = |size| bytes.chunks_exact(size);
    match format {
        EntropyFormat::Raw => Entropy::Text(base64_text(bytes)),
        EntropyFormat::Hex => Entropy::Text(SecretText::new(hex::encode(bytes))),
        EntropyFormat::Uuid => Entropy::Uuids(
            chunk(16)
                .map(|bytes| {
                    uuid::Builder::from_random_bytes(<[u8; 16]>::try_from(bytes).unwrap_or_default()).into_uuid()
                })
                .collect::<Vec<Uuid>>(),
        ),
        EntropyFormat::Int32 => Entropy::Integers(
            chunk(4)
                .map(|bytes| i64::from(i32::from_le_bytes(<[u8; 4]>::try_from(bytes).unwrap_or_default())))
                .collect(),
        ),
        EntropyFormat::Int64 => Entropy::Integers(
            chunk(8).map(|bytes| i64::from_le_bytes(<[u8; 8]>::try_from(bytes).unwrap_or_default())).collect(),
        ),
    }
}

/// The month as `YYYYMM`.
fn month(ctx: &Ctx) -> i64 {
    let text = ctx.now().to_rfc3339();
    text.get(..7).and_then(|text| text.replace('-', "").parse().ok()).unwrap_or(0)
}

fn next_month(ctx: &Ctx) -> String {
    let now = month(ctx);
    let next = if now % 100 == 12 { now + 89 } else { now + 1 };
    format!("{:04}-{:02}-01T00:00:00Z", next / 100, next % 100)
}
