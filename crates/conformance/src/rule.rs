//! A rule of a contract, and the panic that names it when it is broken.
//!
//! It knows nothing of any one contract.

use std::fmt::Debug;

/// More of a value than this many characters says nothing to a reader.
const CHARACTERS_SHOWN: usize = 300;

/// One sentence that holds for every implementation.
#[derive(Clone, Copy)]
pub(crate) struct Rule(pub &'static str);

impl Rule {
    /// `found` is what it has to be.
    #[track_caller]
    pub fn equal<F: Debug + PartialEq<E>, E: Debug>(self, found: &F, expected: &E) {
        if found != expected {
            self.broken(&format!("expected {}, found {}", shown(expected), shown(found)));
        }
    }

    /// There is nothing in `found`.
    #[track_caller]
    pub fn nothing<T: Debug>(self, found: &[T]) {
        self.holds(found.is_empty(), &found);
    }

    /// `holds` is true; if not, `found` is what was there instead.
    #[track_caller]
    pub fn holds(self, holds: bool, found: &dyn Debug) {
        if !holds {
            self.broken(&format!("found {}", shown(found)));
        }
    }

    /// The call succeeded.
    #[track_caller]
    pub fn answered<T, E: Debug>(self, answer: Result<T, E>) -> T {
        match answer {
            Ok(value) => value,
            Err(error) => self.broken(&format!("the call failed: {error:?}")),
        }
    }

    /// The call failed; this is its error.
    #[track_caller]
    pub fn refused<T: Debug, E>(self, answer: Result<T, E>) -> E {
        match answer {
            Err(error) => error,
            Ok(value) => self.broken(&format!("the call gave {}", shown(&value))),
        }
    }

    #[track_caller]
    pub fn broken(self, found: &str) -> ! {
        panic!("conformance: {}: {found}", self.0)
    }
}

/// A value for people, cut off where it gets long: objects have megabytes.
fn shown(value: &(impl Debug + ?Sized)) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(CHARACTERS_SHOWN) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.len()),
        None => text,
    }
}
