//! The webhook, asked over HTTPS as an API server asks: how long the review of known images takes, and how often a registry is asked
//! about one that is not known.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::load::{Measured, Plan, Request, Target, ask, drive, drive_at};
use super::super::process::Running;
use super::super::{median, verdict, wanted};
use super::{Bed, Kind};
use crate::workspace;

pub const NAME: &str = "admission";

const P99_AT_MOST_MS: f64 = 5.0;
const REQUESTS_AT_MOST: usize = 4;
/// Images that reviews are about, in turns.
const KNOWN: usize = 20;
const COLD: usize = 5;
const ROUNDS: usize = 3;
const CONNECTIONS: usize = 8;
const PACED: Plan = Plan { connections: CONNECTIONS, seconds: 10.0, rate: Some(500.0) };
const CLOSED: Plan = Plan { connections: CONNECTIONS, seconds: 3.0, rate: None };
/// The p99 of a bare echo of the same bodies at the same rate, above which the machine and not the webhook was measured.
const QUIET_MS: f64 = 1.0;

pub fn run(rows: &[&str]) -> Result<()> {
    if !wanted(rows, NAME) {
        return Ok(());
    }
    let bed = Bed::start(NAME, Kind::Cue)?;
    let hook = Hook::start(&bed)?;
    let cold = hook.cold(&bed)?;
    let known: Vec<String> =
        bed.push_signed("known", KNOWN)?.iter().map(|image| pinned(&bed, image)).collect::<Result<_>>()?;
    warm(&hook, &known)?;
    // The same over a registry that cannot list what refers to an image.
    let other = Bed::start("admission-distribution", Kind::Distribution)?;
    let without_list = Hook::start(&other)?.cold(&other)?;
    println!("| row | registry that lists referrers: first image, others | registry that does not | bar | |");
    println!("|---|---|---|---|---|");
    println!(
        "| {NAME}: registry requests of a cold image | {}, {} | {}, {} | at most {REQUESTS_AT_MOST} | {} |",
        cold.first,
        cold.others,
        without_list.first,
        without_list.others,
        verdict(cold.others.max(without_list.others) <= REQUESTS_AT_MOST)
    );
    Ok(())
}

/// Requests for a cold image.
struct Cold {
    /// The first of a registry: what the registry can do is learned with it, once.
    first: usize,
    /// The most of any other.
    others: usize,
}

/// A webhook that runs, and what it proves itself with.
struct Hook {
    running: Running,
    target: Target,
}

impl Hook {
    fn start(bed: &Bed) -> Result<Self> {
        bed.make_local_keys()?;
        bed.write_policy()?;
        let certificate = certificate(bed)?;
        let file = |name: &str| bed.folder.join(name);
        let config = file("admission.toml");
        let text = format!(
            "[webhook]\nlisten = \"127.0.0.1:0\"\n[status]\nlisten = \"127.0.0.1:0\"\n[policy]\nfile = {:?}\n\
             [tls]\ncertificate_file = {certificate:?}\nkey_file = {:?}\n",
            file("policy.yaml"),
            file("webhook.key")
        );
        std::fs::write(&config, text)?;
        let running = Running::admission(&config)?;
        let target = Target::https(&running.address, &certificate)?;
        Ok(Self { running, target })
    }

    /// Requests that the registry gets for images that the webhook has not seen.
    fn cold(&self, bed: &Bed) -> Result<Cold> {
        let mut counts = Vec::new();
        for image in bed.push_signed("cold", COLD)? {
            let request = review(&pinned(bed, &image)?);
            bed.way.requests();
            self.admits(&request)?;
            counts.push(bed.way.requests());
        }
        let (first, others) = counts.split_first().context("no cold image")?;
        let cold = Cold { first: *first, others: others.iter().copied().max().unwrap_or_default() };
        ensure!(cold.first > 0 && cold.others > 0, "no cold image was looked for");
        Ok(cold)
    }

    /// One review, which has to allow.
    fn admits(&self, request: &Request) -> Result<()> {
        let answer = ask(&self.target, request)?;
        let review: Value = serde_json::from_slice(&answer)?;
        ensure!(review["response"]["allowed"] == true, "not admitted: {review}");
        Ok(())
    }
}

/// A name by its digest, as the mutating hook leaves it.
fn pinned(bed: &Bed, image: &str) -> Result<String> {
    let crane = bed.tools.join("crane").display().to_string();
    let digest = workspace::output(&crane, &["digest", "--insecure", image])?;
    let (name, _tag) = image.rsplit_once(':').context("a name without a tag")?;
    Ok(format!("{name}@{}", digest.trim()))
}

/// A chain of one for 127.0.0.1, made by OpenSSL.
fn certificate(bed: &Bed) -> Result<PathBuf> {
    let peers = workspace::output("scripts/peers.sh", &[])?;
    let openssl = format!("{}/bin/openssl", peers.trim());
    let (certificate, key) = (bed.folder.join("webhook.crt"), bed.folder.join("webhook.key"));
    let (to_certificate, to_key) = (certificate.display().to_string(), key.display().to_string());
    let name = ["-subj", "/CN=qapi-admission", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30"];
    let made = ["req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-keyout", &to_key, "-out", &to_certificate];
    workspace::output(&openssl, &[made.as_slice(), &name].concat())?;
    Ok(certificate)
}

fn warm(hook: &Hook, images: &[String]) -> Result<()> {
    let requests = images.iter().map(|image| review(image)).collect::<Vec<_>>();
    for request in &requests {
        hook.admits(request)?;
    }
    let bare = Running::bare()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(drive(&bare.address, PACED, in_turns(echoes(images)))?);
        ours.push(drive_at(hook.target.clone(), PACED, in_turns(requests.clone()))?);
    }
    let before = hook.running.processor_time()?;
    let fastest = drive_at(hook.target.clone(), CLOSED, in_turns(requests))?;
    let spent = hook.running.processor_time()?.saturating_sub(before);
    let cpu_us = spent.as_secs_f64() * 1e6 / fastest.answers as f64;
    print_warm(&ours, &theirs, &fastest, cpu_us);
    Ok(())
}

fn print_warm(ours: &[Measured], theirs: &[Measured], fastest: &Measured, cpu_us: f64) {
    let middle = |rounds: &[Measured], share| median(rounds.iter().map(|round| round.quantile_ms(share)).collect());
    let (p99, echo_p99) = (middle(ours, 0.99), middle(theirs, 0.99));
    println!("| row | p50 ms | p99 ms | CPU us | highest/s | echo p50 ms | echo p99 ms | bar | |");
    println!("|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {NAME}: review of known images, 500/s | {:.2} | {p99:.2} | {cpu_us:.1} | {:.0} | {:.2} | {echo_p99:.2} | p99 at most {P99_AT_MOST_MS} ms | {} |",
        middle(ours, 0.5),
        fastest.per_second,
        middle(theirs, 0.5),
        judged(echo_p99, p99),
    );
}

/// What a busy machine has missed says nothing; what it has kept does.
fn judged(echo_p99_ms: f64, p99_ms: f64) -> &'static str {
    match p99_ms <= P99_AT_MOST_MS {
        true => verdict(true),
        false if echo_p99_ms > QUIET_MS => "TOO BUSY TO TELL",
        false => verdict(false),
    }
}

fn in_turns(requests: Vec<Request>) -> impl Fn(usize, u64) -> Request + 'static {
    move |connection, turn| {
        let place = (turn as usize * CONNECTIONS + connection) % requests.len();
        requests[place].clone()
    }
}

fn echoes(images: &[String]) -> Vec<Request> {
    images.iter().map(|image| Request::new("POST", "/echo", None, &body(image))).collect()
}

fn review(image: &str) -> Request {
    Request::new("POST", "/validate?timeout=10s", None, &body(image))
}

/// What an API server asks before it stores a pod of two containers, as `kubectl` and the defaults of Kubernetes fill it.
fn body(image: &str) -> String {
    let kind = |name: &str, value: &str| json!({"group": "", "version": "v1", name: value});
    let container = |name: &str| {
        json!({
            "name": name, "image": image, "imagePullPolicy": "IfNotPresent", "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "RUST_LOG", "value": "info"}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "livenessProbe": {"httpGet": {"path": "/health/live", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10},
            "securityContext": {"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}]
        })
    };
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "users-api-7c5ddbdf54-x7k2p", "generateName": "users-api-7c5ddbdf54-", "namespace": "shop",
            "labels": {"app": "users-api", "pod-template-hash": "7c5ddbdf54"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "users-api-7c5ddbdf54", "controller": true,
                "blockOwnerDeletion": true, "uid": "6b4c5f7e-1d9b-4b0e-9c42-0a4d7ce2a3f1"}]
        },
        "spec": {
            "containers": [container("api"), container("worker")], "restartPolicy": "Always", "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "priority": 0,
            "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority", "securityContext": {"runAsNonRoot": true},
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [{"downwardAPI": {"items": []}}]}}]
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"}
    });
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "3613867f-c7be-52cf-bd6e-c653fe9b7d74", "kind": kind("kind", "Pod"), "resource": kind("resource", "pods"),
            "requestKind": kind("kind", "Pod"), "requestResource": kind("resource", "pods"),
            "name": "users-api-7c5ddbdf54-x7k2p", "namespace": "shop", "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]},
            "object": object, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
        }
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_excuses_a_miss_and_nothing_else() {
        let rows = [(0.3, 2.0, "ok"), (9.0, 2.0, "ok"), (0.3, 5.1, "MISSED"), (1.1, 5.1, "TOO BUSY TO TELL")];
        for (echo, p99, expected) in rows {
            assert_eq!(judged(echo, p99), expected, "{echo} {p99}");
        }
    }

    #[test]
    fn connections_take_turns_among_all_requests() {
        let images: Vec<String> = (0..KNOWN).map(|number| format!("image-{number}")).collect();
        let request = in_turns(echoes(&images));
        let mut seen: Vec<Vec<u8>> = (0..20)
            .flat_map(|turn| (0..CONNECTIONS).map(move |one| (one, turn)))
            .map(|(one, turn)| request(one, turn).bytes().to_vec())
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), KNOWN);
    }
}
