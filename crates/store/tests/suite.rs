//! One suite, both engines: what holds on SQLite holds on PostgreSQL.

mod suite {
    mod audit;
    mod bed;
    mod migrations;
    mod replicas;
    mod seam;
}
