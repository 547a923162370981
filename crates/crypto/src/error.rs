use thiserror::Error;

/// What can go wrong, told to the caller who gave the input. Nothing of a secret is in it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A name that is no algorithm, hash or format of ours.
    #[error("unknown {0}")]
    Unknown(&'static str),
    /// The key's algorithm cannot do this.
    #[error("{0} is not an operation of this key's algorithm")]
    WrongOperation(&'static str),
    /// The key's encoding is damaged, not canonical, or inconsistent in itself.
    #[error("the key is malformed: {0}")]
    MalformedKey(&'static str),
    /// The key is well formed, but of another algorithm than was asked for.
    #[error("the key is of another algorithm")]
    OtherAlgorithm,
    /// A private key was given where only a public one is taken, or the other way round.
    #[error("{0}")]
    WrongHalf(&'static str),
    /// An argument outside its range.
    #[error("{0}")]
    BadArgument(&'static str),
    /// The provider failed for a reason of its own.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// The one refusal for everything that does not open: wrong key, wrong place, wrong context, any byte changed.
///
/// It has no detail on purpose: telling the reasons apart would make an oracle.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("refused")]
pub struct Refused;

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Provider
    }
}

impl From<aws_lc_rs::error::Unspecified> for Refused {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl From<Error> for Refused {
    fn from(_: Error) -> Self {
        Self
    }
}
