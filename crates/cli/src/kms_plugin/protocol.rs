//! Questions and answers of Sigstore's plug-in protocol `v1`, as they are written.

use api::time::WireTime;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The one version there is.
const VERSION: &str = "v1";

/// A question.
pub struct Question {
    pub init: InitOptions,
    pub method: Method,
}

/// What every question comes with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitOptions {
    #[serde(default)]
    ctx_deadline: Option<WireTime>,
    protocol_version: String,
    /// What stands after `qapi://`.
    #[serde(rename = "keyResourceID")]
    pub key_resource_id: String,
    /// By the numbers of Go's `crypto.Hash`.
    #[serde(default)]
    pub hash_func: u32,
}

/// What is asked.
pub enum Method {
    DefaultAlgorithm,
    SupportedAlgorithms,
    CreateKey { algorithm: String },
    PublicKey { rpc: RpcOptions },
    SignMessage { rpc: RpcOptions, message: MessageOptions },
    VerifySignature { signature: Vec<u8>, rpc: RpcOptions, message: MessageOptions },
}

/// How a key is to be used.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RpcOptions {
    ctx_deadline: Option<WireTime>,
    key_version: Option<String>,
    pub remote_verification: Option<bool>,
}

/// What is signed, unless it is the message on standard input.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageOptions {
    digest: Option<String>,
    pub hash_func: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    init_options: InitOptions,
    #[serde(default)]
    method_name: String,
    #[serde(default)]
    create_key: Option<CreateKey>,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default)]
    sign_message: Option<SignMessage>,
    #[serde(default)]
    verify_signature: Option<VerifySignature>,
}

#[derive(Deserialize)]
struct CreateKey {
    algorithm: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKey {
    public_key_options: Options,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignMessage {
    sign_options: Options,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifySignature {
    #[serde(with = "artifact::base64::text")]
    signature: Vec<u8>,
    verify_options: Options,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    rpc_options: RpcOptions,
    message_options: MessageOptions,
}

impl Question {
    /// The question of a command line, the program's own name left out.
    pub fn of(arguments: &[String]) -> Result<Self, Failure> {
        let [version, question] = arguments else {
            return Err(Failure::unusable(
                "this program is run by Sigstore's tools",
                "`cosign sign --key qapi://NAME`",
            ));
        };
        let asked: Asked = serde_json::from_str(question)
            .map_err(|error| Failure::unusable(format!("the question is not understood: {error}"), "cosign 3"))?;
        if version != VERSION || asked.init_options.protocol_version != VERSION {
            return Err(Failure::unusable(format!("protocol {version}"), format!("a tool that speaks {VERSION}")));
        }
        let method =
            method(&asked.method_name, asked.create_key, asked.public_key, asked.sign_message, asked.verify_signature)?;
        Ok(Self { init: asked.init_options, method })
    }

    /// Until when an answer is waited for.
    pub fn deadline(&self) -> Option<WireTime> {
        let of_method = match &self.method {
            Method::PublicKey { rpc } | Method::SignMessage { rpc, .. } | Method::VerifySignature { rpc, .. } => {
                rpc.ctx_deadline
            }
            _ => None,
        };
        of_method.or(self.init.ctx_deadline)
    }
}

fn method(
    name: &str,
    create_key: Option<CreateKey>,
    public_key: Option<PublicKey>,
    sign_message: Option<SignMessage>,
    verify_signature: Option<VerifySignature>,
) -> Result<Method, Failure> {
    let method = match name {
        "defaultAlgorithm" => Some(Method::DefaultAlgorithm),
        "supportedAlgorithms" => Some(Method::SupportedAlgorithms),
        "createKey" => create_key.map(|asked| Method::CreateKey { algorithm: asked.algorithm }),
        "publicKey" => public_key.map(|asked| Method::PublicKey { rpc: asked.public_key_options.rpc_options }),
        "signMessage" => sign_message.map(|asked| {
            let Options { rpc_options: rpc, message_options: message } = asked.sign_options;
            Method::SignMessage { rpc, message }
        }),
        "verifySignature" => verify_signature.map(|asked| {
            let Options { rpc_options: rpc, message_options: message } = asked.verify_options;
            Method::VerifySignature { signature: asked.signature, rpc, message }
        }),
        other => {
            let what = format!("no method {:?}", other.chars().take(100).collect::<String>());
            return Err(Failure::unusable(what, "a tool that speaks v1"));
        }
    };
    method.ok_or_else(|| Failure::unusable(format!("{name} has no arguments"), "a tool that speaks v1"))
}

impl RpcOptions {
    /// The version of the key that was asked for.
    pub fn version(&self) -> Result<Option<u32>, Failure> {
        match self.key_version.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(version) => Ok(Some(version)),
                Err(_) => Err(Failure::unusable(format!("{text} is not a version"), "a number")),
            },
        }
    }
}

impl MessageOptions {
    /// The digest, if one was given.
    pub fn digest(&self) -> Result<Option<Vec<u8>>, Failure> {
        match self.digest.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match artifact::base64::decode(text) {
                Some(digest) => Ok(Some(digest)),
                None => Err(Failure::unusable("the digest is not base64", "a digest")),
            },
        }
    }
}

/// An answer: one of its members is there.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_algorithm: Option<DefaultAlgorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_algorithms: Option<SupportedAlgorithms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_key: Option<Public>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Public>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_message: Option<Signed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_signature: Option<Verified>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefaultAlgorithm {
    default_algorithm: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SupportedAlgorithms {
    supported_algorithms: Vec<&'static str>,
}

#[derive(Serialize)]
struct Public {
    /// The PEM text, once more in base64.
    #[serde(rename = "publicKeyPEM", with = "artifact::base64::text")]
    pem: Vec<u8>,
}

#[derive(Serialize)]
struct Signed {
    #[serde(with = "artifact::base64::text")]
    signature: Vec<u8>,
}

#[derive(Serialize)]
struct Verified {}

impl Answer {
    pub fn failed(what: String) -> Self {
        Self { error_message: Some(what), ..Self::default() }
    }

    pub fn default_algorithm(name: &'static str) -> Self {
        Self { default_algorithm: Some(DefaultAlgorithm { default_algorithm: name }), ..Self::default() }
    }

    pub fn supported_algorithms(names: Vec<&'static str>) -> Self {
        Self { supported_algorithms: Some(SupportedAlgorithms { supported_algorithms: names }), ..Self::default() }
    }

    pub fn created(key: &crypto::key::PublicKey) -> Self {
        Self { create_key: Some(public(key)), ..Self::default() }
    }

    pub fn public(key: &crypto::key::PublicKey) -> Self {
        Self { public_key: Some(public(key)), ..Self::default() }
    }

    pub fn signed(signature: &[u8]) -> Self {
        Self { sign_message: Some(Signed { signature: signature.to_vec() }), ..Self::default() }
    }

    pub fn verified() -> Self {
        Self { verify_signature: Some(Verified {}), ..Self::default() }
    }
}

fn public(key: &crypto::key::PublicKey) -> Public {
    Public { pem: key.to_pem().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(version: &str, text: &str) -> Result<Question, Failure> {
        Question::of(&[version.to_owned(), text.to_owned()])
    }

    #[test]
    fn questions_are_read_as_the_tools_write_them() {
        let sign = r#"{"initOptions":{"ctxDeadline":"2027-01-01T00:00:00Z","protocolVersion":"v1","keyResourceID":"release",
            "hashFunc":5,"rpcOptions":{"keyVersion":"","remoteVerification":false}},"methodName":"signMessage",
            "signMessage":{"signOptions":{"rpcOptions":{"keyVersion":"","remoteVerification":false},
            "messageOptions":{"digest":"AAEC","hashFunc":7}}}}"#;
        let read = question("v1", sign).unwrap();
        assert_eq!((read.init.key_resource_id.as_str(), read.init.hash_func), ("release", 5));
        assert!(read.deadline().is_some());
        let Method::SignMessage { rpc, message } = &read.method else { panic!("another method") };
        assert_eq!((rpc.version().unwrap(), message.hash_func), (None, Some(7)));
        assert_eq!(message.digest().unwrap(), Some(vec![0, 1, 2]));
        for wrong in [sign.replace("signMessage\",", "other\","), sign.replace("signMessage\":{", "x\":{"), "{}".into()]
        {
            assert!(question("v1", &wrong).is_err(), "{wrong}");
        }
        assert!(question("v2", sign).is_err());
        assert!(Question::of(&[]).is_err());
    }

    #[test]
    fn an_answer_has_one_member() {
        let json = |answer: &Answer| serde_json::to_string(answer).unwrap();
        assert_eq!(json(&Answer::signed(&[0, 1])), r#"{"signMessage":{"signature":"AAE="}}"#);
        assert_eq!(json(&Answer::verified()), r#"{"verifySignature":{}}"#);
        assert_eq!(json(&Answer::failed("no".into())), r#"{"errorMessage":"no"}"#);
        assert_eq!(json(&Answer::default_algorithm("a")), r#"{"defaultAlgorithm":{"defaultAlgorithm":"a"}}"#);
    }
}
