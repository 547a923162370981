//! Who acts: applications, people, their roles, and what each of them may be.

pub mod account;
pub mod application;
pub mod role;
pub mod uri;
pub mod words;
