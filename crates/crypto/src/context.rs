//! What a key or a ciphertext is bound to, as one unambiguous string of bytes.

/// A list of parts, each with its length before it (four bytes, big-endian). The first part is a label that no other
/// use has. Two different lists never give the same bytes, which plain concatenation does not promise.
pub struct Context(Vec<u8>);

impl Context {
    /// Starts a context with the label of its use, as `qapi/wrap/v1`.
    pub fn new(label: &str) -> Self {
        Self(Vec::with_capacity(224)).bytes(label.as_bytes())
    }

    /// Adds a part.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Self {
        // A part of 4 GiB would have to stand in memory first; the length cannot be cut in practice.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    /// Adds a number as four bytes, big-endian.
    #[must_use]
    pub fn u32(self, part: u32) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    /// Adds a number as eight bytes, big-endian.
    #[must_use]
    pub fn u64(self, part: u64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_boundary_changes_the_bytes() {
        let left = Context::new("a").bytes(b"bc").bytes(b"d");
        let right = Context::new("a").bytes(b"b").bytes(b"cd");
        assert_ne!(left.as_bytes(), right.as_bytes());
        assert_eq!(Context::new("a").u32(7).as_bytes(), [0, 0, 0, 1, b'a', 0, 0, 0, 4, 0, 0, 0, 7]);
    }
}
