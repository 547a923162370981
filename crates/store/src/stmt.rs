use smallvec::SmallVec;

use crate::value::Value;

/// One statement with its arguments. The text is static: it is the key of the prepared-statement caches, and nothing a caller sends
/// can become SQL.
#[derive(Clone, Debug)]
pub struct Stmt {
    pub(crate) sql: &'static str,
    pub(crate) args: SmallVec<[Value; 8]>,
}

/// A statement whose parameters are written `$1..$n`, in any order and any number of times.
pub fn sql(text: &'static str) -> Stmt {
    Stmt { sql: text, args: SmallVec::new() }
}

impl Stmt {
    /// Binds the next parameter: the first call gives `$1`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Binds the next parameter if there is a value: for a statement whose text was chosen by whether there is.
    #[must_use]
    pub(crate) fn bind_some(self, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.bind(value),
            None => self,
        }
    }

    pub fn text(&self) -> &'static str {
        self.sql
    }
}
