use std::fmt;

/// Why bytes are not what they should be, and which clause says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// What is wrong, as the end of a sentence.
    pub what: &'static str,
    /// The clause that asks for something else.
    pub clause: &'static str,
}

impl Malformed {
    pub(super) const fn new(what: &'static str, clause: &'static str) -> Self {
        Self { what, clause }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.clause)
    }
}

impl std::error::Error for Malformed {}
