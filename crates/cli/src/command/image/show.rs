//! `qapi image tree`, `inspect` and `triangulate`: what there is, of which nothing is verified.

use artifact::bundle::{Bundle, Content};
use artifact::image::{self, Kind, Node, Relation, Wanted, find};
use artifact::reference::Reference;
use artifact::statement::Statement;
use artifact::verification::Carrier;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::place::RegistryInputs;
use super::verify::described;
use crate::failure::{Exit, Failure};
use crate::print::Printer;

#[derive(Args)]
pub struct TreeInputs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: Reference,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Shows what belongs to an image.
pub async fn tree(inputs: TreeInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = inputs.registry.client([inputs.image.repository()])?;
    let image = inputs.registry.resolve(&client, &inputs.image).await?;
    let root = image::tree(&client, &image).await?;
    printer.body(&as_json(&root), |_| {
        let mut text = String::new();
        draw(&root, 0, &mut text);
        text
    })
}

fn relation(node: &Node) -> String {
    match &node.relation {
        Relation::Root => "image".to_owned(),
        Relation::Listed => "lists".to_owned(),
        Relation::Refers => "referrer".to_owned(),
        Relation::Tag { tag, .. } => format!("tag {tag}"),
    }
}

fn kind(node: &Node) -> String {
    let descriptor = &node.descriptor;
    let platform = descriptor.platform.as_ref().map(|platform| format!("{}/{}", platform.os, platform.architecture));
    platform.or_else(|| descriptor.artifact_type.clone()).unwrap_or_else(|| descriptor.media_type.clone())
}

fn as_json(node: &Node) -> Value {
    json!({
        "relation": relation(node),
        "digest": node.descriptor.digest,
        "mediaType": node.descriptor.media_type,
        "artifactType": node.descriptor.artifact_type,
        "layers": node.layers.iter().map(|layer| json!({ "mediaType": layer.media_type, "digest": layer.digest,
            "size": layer.size })).collect::<Vec<_>>(),
        "children": node.children.iter().map(as_json).collect::<Vec<_>>(),
    })
}

fn draw(node: &Node, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    text.push_str(&format!("{indent}{} {} {}\n", relation(node), node.descriptor.digest, kind(node)));
    for layer in node.layers.iter().filter(|layer| !layer.media_type.contains(".layer.") && depth > 0) {
        text.push_str(&format!("{indent}  layer {} {}\n", layer.digest, layer.media_type));
    }
    for child in &node.children {
        draw(child, depth + 1, text);
    }
}

#[derive(Args)]
pub struct TriangulateInputs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: Reference,
    /// Which name to print
    #[arg(long = "type", value_enum, default_value = "signature", value_name = "TYPE")]
    what: What,
    #[command(flatten)]
    registry: RegistryInputs,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// The tag of signatures
    Signature,
    /// The tag of attestations
    Attestation,
    /// The tag of a bill of materials
    Sbom,
    /// The image by its digest
    Digest,
}

/// Prints a name, whether something lies there or not.
pub async fn triangulate(inputs: TriangulateInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = inputs.registry.client([inputs.image.repository()])?;
    let image = inputs.registry.resolve(&client, &inputs.image).await?;
    let reference = match inputs.what {
        What::Signature => image.legacy_reference(Kind::Signatures)?,
        What::Attestation => image.legacy_reference(Kind::Attestations)?,
        What::Sbom => image.legacy_reference(Kind::Sbom)?,
        What::Digest => image.reference(),
    };
    printer.body(&json!({ "reference": reference.to_string() }), |_| reference.to_string())
}

#[derive(Args)]
pub struct InspectInputs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: Reference,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Shows an image and what is said beside it.
pub async fn inspect(inputs: InspectInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = inputs.registry.client([inputs.image.repository()])?;
    let image = inputs.registry.resolve(&client, &inputs.image).await?;
    let manifest = client.manifest(&image.reference()).await?;
    let mut evidence = Vec::new();
    for wanted in [Wanted::Signatures, Wanted::Attestations(None)] {
        let found = find(&client, &image, wanted).await?;
        for (carrier, origin) in found.carriers.iter().zip(&found.origins) {
            let one = said_by(carrier, &described(origin));
            if !evidence.contains(&one) {
                evidence.push(one);
            }
        }
    }
    let platforms: Vec<Value> = manifest
        .manifests()
        .iter()
        .map(|entry| {
            let platform = entry.platform.as_ref().map(|platform| format!("{}/{}", platform.os, platform.architecture));
            json!({ "digest": entry.digest, "platform": platform })
        })
        .collect();
    let said = json!({
        "image": image.reference().to_string(),
        "digest": image.digest(),
        "mediaType": manifest.media_type(),
        "platforms": platforms,
        "unverified": evidence,
    });
    printer.body(&said, |_| {
        let lines = evidence.iter().map(|one| format!("  {}\n", line(one)));
        let head = format!("{}\n{}, {} platforms\n", image.reference(), manifest.media_type(), platforms.len());
        [head, "beside it, unverified:\n".to_owned()].into_iter().chain(lines).collect()
    })
}

fn said_by(carrier: &Carrier, at: &str) -> Value {
    let statement = |payload: &[u8]| Statement::parse(payload).ok().map(|statement| statement.predicate_type);
    match carrier {
        Carrier::Layer { signature, .. } => {
            json!({ "at": at, "kind": "legacy signature", "signatureBytes": signature.len() })
        }
        Carrier::Envelope(envelope) => json!({ "at": at, "kind": "legacy attestation",
            "predicateType": statement(envelope.danger_unverified_payload()) }),
        Carrier::Bundle(Bundle { key_hint, content: Content::Envelope(envelope) }) => json!({ "at": at,
            "kind": "bundle", "predicateType": statement(envelope.danger_unverified_payload()), "keyHint": key_hint,
            "signatureBytes": envelope.signatures().first().map(|signature| signature.sig.len()) }),
        Carrier::Bundle(_) => json!({ "at": at, "kind": "bundle of a file" }),
    }
}

fn line(evidence: &Value) -> String {
    let text = |name: &str| evidence.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {} {}", text("kind"), text("predicateType"), text("at"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
