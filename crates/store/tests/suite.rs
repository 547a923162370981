//! One suite, both engines: what holds on SQLite holds on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod suite {
    mod audit;
    mod backup;
    mod bed;
    mod gate_tickets;
    mod identity;
    mod migrations;
    mod pki;
    mod replicas;
    mod seam;
    mod statements;
    mod vault;
}
