// Verifies Sigstore bundles with npm's @sigstore/verify, which is given one public key and no logs.
//
// Usage: verify.cjs PUBLIC_KEY.pem < bundles, one a line
// Prints the payload of each bundle that is believed, one a line. What is no bundle at all ends it with 1.

"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");

const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, VerificationError, Verifier } = require("@sigstore/verify");

const NO_LOGS = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
const NO_AUTHORITIES = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };

// A key is found by the hint of a bundle: the hash of what it is.
function verifierOf(file) {
  const rawBytes = crypto.createPublicKey(fs.readFileSync(file)).export({ format: "der", type: "spki" });
  const hint = crypto.createHash("sha256").update(rawBytes).digest("base64");
  return new Verifier(toTrustMaterial(NO_AUTHORITIES, { [hint]: { rawBytes } }), NO_LOGS);
}

function believes(verifier, bundle) {
  try {
    verifier.verify(toSignedEntity(bundle));
    return true;
  } catch (error) {
    if (error instanceof VerificationError) {
      return false;
    }
    throw error;
  }
}

const verifier = verifierOf(process.argv[2]);
for (const line of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const bundle = bundleFromJSON(JSON.parse(line));
  if (believes(verifier, bundle)) {
    console.log(bundle.content.dsseEnvelope.payload.toString("utf8"));
  }
}
