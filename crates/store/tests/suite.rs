//! One suite, both engines: what holds on SQLite holds on PostgreSQL.

mod suite {
    mod bed;
    mod migrations;
    mod seam;
}
