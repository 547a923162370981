//! Pages of a listing: from 1, fifty rows unless told, two hundred at most (contract 2.6).

use api::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};

use crate::problem::{Outcome, Problem};

/// Which rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// Rows of a page.
    pub size: u32,
}

impl Page {
    /// Reads what a query says. More rows than the cap are cut to it; page 0 is nobody's first page.
    pub fn parse(number: Option<u32>, size: Option<u32>) -> Outcome<Self> {
        let (number, size) = (number.unwrap_or(1), size.unwrap_or(PAGE_SIZE_DEFAULT));
        if number == 0 || size == 0 {
            return Err(Problem::invalid("page and pageSize are counted from 1."));
        }
        Ok(Self { number, size: size.min(PAGE_SIZE_MAX) })
    }

    /// How many rows stand before the page.
    pub fn skipped(self) -> u32 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// The page's rows, and whether there is a further page.
    pub fn cut<T>(self, rows: Vec<T>) -> (Vec<T>, bool) {
        let (skip, size) = (self.skipped() as usize, self.size as usize);
        let has_more = rows.len() > skip.saturating_add(size);
        (rows.into_iter().skip(skip).take(size).collect(), has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_says_that_there_is_no_further_one() {
        let page = |number| Page::parse(Some(number), Some(2)).unwrap();
        assert_eq!(page(1).cut(vec![1, 2, 3]), (vec![1, 2], true));
        assert_eq!(page(2).cut(vec![1, 2, 3]), (vec![3], false));
        assert_eq!(page(3).cut(vec![1, 2, 3]), (vec![], false));
        assert_eq!(page(1).cut(vec![1, 2]), (vec![1, 2], false));
    }

    #[test]
    fn nonsense_is_refused_and_greed_is_cut() {
        assert!(Page::parse(Some(0), None).is_err());
        assert!(Page::parse(None, Some(0)).is_err());
        assert_eq!(Page::parse(None, Some(100_000)).unwrap(), Page { number: 1, size: 200 });
    }
}
