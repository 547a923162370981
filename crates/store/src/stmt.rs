use smallvec::SmallVec;

use crate::value::Value;

/// One statement with its arguments. The text is static: it is the key of the prepared-statement caches, and nothing a caller sends
/// can become SQL.
#[derive(Clone, Debug)]
pub struct Stmt {
    pub(crate) sql: &'static str,
    pub(crate) args: SmallVec<[Value; 8]>,
    /// Runs in front of it, in the same transaction.
    pub(crate) first: Option<Box<Stmt>>,
}

/// A statement whose parameters are written `$1..$n`, in any order and any number of times.
pub fn sql(text: &'static str) -> Stmt {
    Stmt { sql: text, args: SmallVec::new(), first: None }
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

    /// Puts another statement in front, which goes wherever this one goes.
    #[must_use]
    pub(crate) fn after(mut self, first: Stmt) -> Self {
        self.first = Some(Box::new(first));
        self
    }

    /// The statement in front, and this one without it.
    pub(crate) fn unfolded(mut self) -> impl Iterator<Item = Stmt> {
        let first = self.first.take().map(|first| *first);
        first.into_iter().chain([self])
    }

    pub fn text(&self) -> &'static str {
        self.sql
    }
}
