//! The recipe for PostgreSQL: services prove to the database who they are, and it changes its certificate while they come.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crypto::x509::{Certificate, pem};

use super::{PATIENCE, Scene, agent, executable, words};
use crate::mesh::tools::{tool, tools};
use crate::program::{both, run, succeed};
use crate::running::Running;
use crate::server::eventually;

/// PostgreSQL runs as anybody but root. Another name for root in a namespace of its own is enough, and reads what root reads.
const ANYBODY: [&str; 3] = ["unshare", "--user", "--map-user=1000"];

#[test]
fn postgresql_takes_a_new_certificate_without_failing_a_connection_and_knows_who_connects() {
    let scene = Scene::new(|folder| words(&[&folder.join("reload").display().to_string()]));
    let client = tempfile::tempdir_in("/dev/shm").unwrap();
    let _agent = agent(&scene.server, "shop", scene.folder.path(), client.path(), &[]);
    let database = Database { scene: &scene, client: client.path() };
    let postgres = database.start();

    let who = "SELECT system_user, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(database.query("shop", who).as_deref(), Ok("cert:CN=shop|TLSv1.3"));
    let refusal = database.query("qapi", "SELECT 1").unwrap_err();
    assert!(refusal.contains("certificate authentication failed for user \"qapi\""), "{refusal}");
    scene.exchanges_fail_none(&postgres, || database.query("shop", "SELECT 1").and_then(|_| database.shown()));
}

struct Database<'a> {
    scene: &'a Scene,
    /// The files of the service that connects.
    client: &'a Path,
}

impl Database<'_> {
    /// A server with the settings of the guide, and a role for the service.
    fn start(&self) -> Running {
        let data = self.scene.path("data");
        let make = ["--username=qapi", "--auth=trust", "--locale=C", "--no-sync", "--pgdata"];
        succeed(program("initdb").args(make).arg(&data));
        let settings = std::fs::read_to_string(data.join("postgresql.conf")).unwrap();
        std::fs::write(data.join("postgresql.conf"), settings + &self.scene.recipe("**PostgreSQL**", "")).unwrap();
        std::fs::write(data.join("pg_hba.conf"), "local all all trust\nhostssl all all all cert\n").unwrap();
        let reload = format!("{:?} reload --silent --pgdata {:?}", program("pg_ctl"), data);
        executable(&self.scene.path("reload"), &format!("#!/bin/sh\nexec {reload}\n"));
        let mut command = program("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(&data).args(["-h", "127.0.0.1", "-p", &self.port()]);
        let postgres = Running::start(&mut command).accepting(self.scene.address);
        let local = format!("host={} port={} user=qapi dbname=postgres", data.display(), self.port());
        let role = [&local, "--command", "CREATE ROLE shop LOGIN"];
        eventually(PATIENCE, || run(program("psql").args(role)).status.success().then_some(()));
        postgres
    }

    fn port(&self) -> String {
        self.scene.address.port().to_string()
    }

    /// One statement over a connection of its own, where the service shows its certificate and checks the database's name.
    fn query(&self, user: &str, statement: &str) -> Result<String, String> {
        let (identity, bundle) = (self.client.join("identity.pem"), self.client.join("bundle.pem"));
        let connection = format!(
            "host=edge hostaddr=127.0.0.1 port={} user={user} dbname=postgres sslmode=verify-full sslcert={} sslkey={} sslrootcert={}",
            self.port(),
            identity.display(),
            identity.display(),
            bundle.display()
        );
        let output = run(program("psql").args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            statement,
            &connection,
        ]));
        if output.status.success() { Ok(both(&output).trim().to_owned()) } else { Err(both(&output)) }
    }

    /// The number of the certificate that the database shows.
    fn shown(&self) -> Result<Vec<u8>, String> {
        let connect = self.scene.address.to_string();
        let output = run(tool("openssl").args(["s_client", "-starttls", "postgres", "-connect", &connect]));
        let text = both(&output);
        let leaf = pem::blocks(&text).unwrap().into_iter().next().ok_or(text)?;
        Ok(Certificate::parse(&leaf.der).unwrap().serial_number().as_bytes().to_vec())
    }
}

fn program(name: &str) -> Command {
    let path = tools().join("postgresql/bin").join(name);
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(path);
    }
    let mut command = Command::new(ANYBODY[0]);
    command.args(&ANYBODY[1..]).arg(path);
    command
}
