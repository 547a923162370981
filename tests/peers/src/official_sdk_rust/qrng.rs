use anyhow::{Context as _, Result, ensure};
use quantumapi::{Error, QrngEntropyFormat, QrngEntropyRequest};

use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("qrng.get_entropy", get_entropy(sdk)).await;
    tally.check("qrng.get_bytes", get_bytes(sdk)).await;
}

/// A development server has no quantum source, and must not pretend to have one.
async fn get_entropy(sdk: &Sdk) -> Result<()> {
    let plain = QrngEntropyRequest::new(32);
    ensure_error!(sdk.client.qrng.get_entropy(plain.clone(), false).await, Error::Server { .. });
    let answer = sdk.client.qrng.get_entropy(plain, true).await?;
    ensure_eq!((answer.format, answer.consumed_bytes), (QrngEntropyFormat::Raw, 32));
    ensure_eq!((answer.source.as_str(), answer.is_quantum()), ("csprng", false));
    ensure_eq!(answer.source_details.provider, "SystemRandom");
    ensure_eq!(answer.as_bytes().map(|bytes| bytes.len()), Some(32));
    ensure!(answer.quota_remaining_mb <= answer.quota_limit_mb, "more left than granted");
    ensure!(!answer.request_id.is_empty(), "no request id");

    let uuids = QrngEntropyRequest::with_format(48, QrngEntropyFormat::Uuid);
    let answer = sdk.client.qrng.get_entropy(uuids, true).await?;
    let uuids = answer.uuids().context("no ids")?;
    ensure_eq!(uuids.len(), 3);
    for text in uuids {
        ensure_eq!(uuid::Uuid::parse_str(text)?.get_version_num(), 4);
    }
    for (format, bytes) in [(QrngEntropyFormat::Int32, 40), (QrngEntropyFormat::Int64, 80)] {
        let answer = sdk.client.qrng.get_entropy(QrngEntropyRequest::with_format(bytes, format), true).await?;
        let integers = answer.integers().context("no integers")?;
        ensure_eq!(integers.len(), 10);
        ensure!(integers.iter().any(|integer| *integer < 0), "ten integers and none is negative");
    }
    let most = QrngEntropyRequest::new(65_536);
    ensure_eq!(sdk.client.qrng.get_entropy(most, true).await?.as_bytes().map(|bytes| bytes.len()), Some(65_536));
    ensure_error!(sdk.client.qrng.get_entropy(QrngEntropyRequest::new(65_537), true).await, Error::Validation { .. });
    Ok(())
}

async fn get_bytes(sdk: &Sdk) -> Result<()> {
    let bytes = sdk.client.qrng.get_bytes(64, true).await?;
    ensure_eq!(bytes.len(), 64);
    ensure!(bytes != sdk.client.qrng.get_bytes(64, true).await?, "the same bytes twice");
    Ok(())
}
