//! Field names in any casing in, in two casings out (contract, rules 2 and 3).
//!
//! Installed clients send `plainText`, `plain_text` and `PlainText`, and read `keyVersion` or `key_version`. Both
//! directions work on struct fields only: maps and free JSON are the user's data and pass through untouched. Bodies are
//! read without an intermediate tree, with a depth limit and with duplicates refused at every level, and a refusal
//! never repeats what was sent.

mod decode;
mod encode;
mod query;

#[cfg(test)]
mod tests;

pub use decode::{DecodeError, Fault, from_slice_any_case, from_slice_noting_snake};
pub use encode::{Casing, to_vec, to_vec_of};
pub use query::from_query_any_case;

/// Whether two names are the same apart from underscores and ASCII case.
fn same_name(a: &str, b: &str) -> bool {
    folded(a).eq(folded(b))
}

/// The name's bytes without underscores, in lower case.
fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
}
