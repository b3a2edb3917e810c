//! The error that crosses crate boundaries: its kind says what the user can do next.
//!
//! It knows nothing of exit codes, log formats or retries; those are decided from [`ErrorKind`].

use std::error::Error as StdError;
use std::fmt;

use crate::cause::{Cause, ErrorKind};
use crate::printable::{escaped, one_line};

/// The result of everything that can fail in the engine and its connectors.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a function of the user may fail with: any error, so that `?` works on all of them.
///
/// ```
/// use steadfast_core::UserError;
///
/// fn cents(text: &str) -> Result<i64, UserError> {
///     match text.split_once('.') {
///         Some((whole, cents)) => Ok(100 * whole.parse::<i64>()? + cents.parse::<i64>()?),
///         None => Err(format!("'{text}' has no decimals").into()),
///     }
/// }
/// assert!(cents("12.x").is_err());
/// ```
pub type UserError = Box<dyn StdError + Send + Sync>;

/// An error with its kind, the place where it happened, and what to do about it.
///
/// It is one pointer wide, so that `Result<(), Error>` costs nothing on the path of a record.
///
/// ```
/// use steadfast_core::Error;
/// let error = Error::bad_input("'12.345' has more than two decimals")
///     .at("payments.jsonl, byte 1204")
///     .hint("start with --bad-input dead-letter to set such lines aside");
/// assert_eq!(error.code(), "SF0100");
/// assert!(error.to_string().contains("byte 1204"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    cause: Cause,
    what: String,
    places: Vec<String>,
    /// Whether an operator is among the places: whoever is further out has nothing to add.
    names_operator: bool,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `what` says what happened, without the place.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self::because(Cause::unnamed(kind), what)
    }

    /// An error of the kind that `cause` is of; `what` says what happened, without the place.
    pub fn because(cause: Cause, what: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            cause,
            what: what.into(),
            places: Vec::new(),
            names_operator: false,
            hint: None,
            source: None,
        }))
    }

    /// The input holds something that is not a record.
    pub fn bad_input(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadInput, what)
    }

    /// User code returned an error or panicked.
    pub fn user_code(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::UserCode, what)
    }

    /// A setting cannot work.
    pub fn configuration(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, what)
    }

    /// An outside system did not answer or refused.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, what)
    }

    /// Another process has taken over.
    pub fn fenced(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fenced, what)
    }

    /// Stored data is not what was written.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, what)
    }

    /// The engine broke one of its own rules.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, what)
    }

    /// A target refuses committed output for good.
    pub fn rejected(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, what)
    }

    /// What a function of the user has returned. An error of Steadfast that comes back through user code is
    /// what it was; one that others have wrapped keeps its kind.
    pub fn of_user_code(error: UserError) -> Self {
        let error = match error.downcast::<Error>() {
            Ok(own) => return *own,
            Err(error) => error,
        };
        match error.source().and_then(first_of_ours) {
            Some(own) => Error::because(own.why(), "user code passed an error on").caused_by(error),
            None => {
                Error::because(Cause::USER_ERROR, "user code returned an error").caused_by(error)
            }
        }
    }

    /// Adds where it happened; places are added from the inside out and printed outermost first.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.places.push(place.into());
        self
    }

    /// Adds the operator, source or sink in which it happened; the innermost one stays, because it is the one.
    #[must_use]
    pub fn in_operator(mut self, operator: impl Into<String>) -> Self {
        if !self.0.names_operator {
            self.0.places.push(operator.into());
            self.0.names_operator = true;
        }
        self
    }

    /// Adds where it happened for an error of which no operator is known.
    #[must_use]
    pub fn within(self, place: impl Into<String>) -> Self {
        if self.0.names_operator { self } else { self.at(place) }
    }

    /// Says what the user can do; the innermost hint stays, because it knows most.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What happened and where, without the code and without what to do: to be put into the text of
    /// another error, which has a code of its own.
    ///
    /// It is one line, whatever the input or the cause holds that is quoted in it; what a cause says is not said
    /// again if it has been said.
    pub fn message(&self) -> String {
        let mut text = String::new();
        for place in self.0.places.iter().rev() {
            text += &escaped(place);
            text += ": ";
        }
        text += &escaped(&self.0.what);
        match self.cause() {
            Some(cause) => with_causes(text, cause),
            None => text,
        }
    }

    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|error| error as _)
    }

    /// The same error once more, its causes as words.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let mut error = Error::because(self.0.cause, self.message());
        error.0.hint = self.advice().map(str::to_string);
        error
    }

    /// What the user can do, as the error or the one that caused it knows; none where nobody knows a way out.
    /// [`Error::message`] is without it. It may hold what the input holds.
    pub fn advice(&self) -> Option<&str> {
        let cause = || self.cause().and_then(first_of_ours)?.advice();
        self.0.hint.as_deref().or_else(cause)
    }

    /// What to do next.
    pub fn kind(&self) -> ErrorKind {
        self.0.cause.kind()
    }

    /// Why it happened, as far as that has a name.
    pub fn why(&self) -> Cause {
        self.0.cause
    }

    /// The stable code of [`Error::why`], which is printed with the error: `SF0301`.
    pub fn code(&self) -> &'static str {
        self.0.cause.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message(), self.code())?;
        match self.advice() {
            Some(hint) => write!(f, "\n  what to do: {}", escaped(hint)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause()
    }
}

/// The first error of ours among `error` and its causes.
fn first_of_ours<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    match error.downcast_ref::<Error>() {
        Some(own) => Some(own),
        None => first_of_ours(error.source()?),
    }
}

/// What an error says with its causes, in one line and nothing twice, without codes.
///
/// ```
/// let error = std::io::Error::other("no\nroom");
/// assert_eq!(steadfast_core::error::told(&error), "no room");
/// ```
pub fn told(error: &(dyn StdError + 'static)) -> String {
    with_causes(String::new(), error)
}

fn with_causes(mut text: String, first: &(dyn StdError + 'static)) -> String {
    let mut cause = Some(first);
    while let Some(error) = cause {
        let own = error.downcast_ref::<Error>();
        let said = own.map_or_else(|| said_by(error), Error::message);
        if !text.contains(&said) {
            if !text.is_empty() {
                text += ": ";
            }
            text += &said;
        }
        // One of ours has told of its own causes.
        cause = if own.is_some() { None } else { error.source() };
    }
    text
}

/// What an error of others says, in one line. Where it quotes one of ours, code and hint are left out: they are
/// told at the end.
fn said_by(error: &(dyn StdError + 'static)) -> String {
    let said = error.to_string();
    one_line(&match error.source().and_then(first_of_ours) {
        Some(own) => said.replace(&own.to_string(), &own.message()),
        None => said,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_cause_is_told_once_in_one_line_whatever_it_quotes() {
        let io = || std::io::Error::other("no\n  room\u{1b}[2J");
        let error = Error::unavailable("cannot write: no room\\u{1b}[2J").caused_by(io());
        assert_eq!(error.message(), "cannot write: no room\\u{1b}[2J");
        let error =
            Error::bad_input("line\u{9b} \u{202e}x\n").at("a\r").caused_by(io()).hint("b\u{7}");
        let whole =
            "a\\r: line\\u{9b} \\u{202e}x\\n: no room\\u{1b}[2J [SF0100]\n  what to do: b\\u{7}";
        assert_eq!(error.to_string(), whole);
    }

    /// An error of another library that quotes one of ours.
    #[test]
    fn no_code_is_told_twice() {
        let own = Error::damaged("bits").hint("restore");
        let quoting = Quoting(own);
        let error = Error::of_user_code(quoting.into());
        let text =
            "user code passed an error on: cannot go on: bits [SF0600]\n  what to do: restore";
        assert_eq!(error.to_string(), text);
    }

    #[derive(Debug)]
    struct Quoting(Error);

    impl fmt::Display for Quoting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "cannot go on: {}", self.0)
        }
    }

    impl StdError for Quoting {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    /// An error of another library around one of ours.
    #[derive(Debug)]
    struct Wrapped(Error);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("while looking a rate up")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn what_comes_back_through_user_code_keeps_its_kind() {
        let own = || Error::damaged("bits").at("object x").hint("restore");
        let back = Error::of_user_code(own().into());
        assert_eq!(back.to_string(), own().to_string());
        let back = Error::of_user_code(Wrapped(own()).into());
        assert_eq!(back.kind(), ErrorKind::Damaged);
        let text = "user code passed an error on: while looking a rate up: object x: bits";
        assert_eq!(back.message(), text);
        let foreign = Error::of_user_code("12.5.1".parse::<f64>().unwrap_err().into());
        assert_eq!(foreign.kind(), ErrorKind::UserCode);
        assert_eq!(foreign.message(), "user code returned an error: invalid float literal");
    }

    #[test]
    fn places_are_printed_outermost_first_and_the_innermost_hint_stays() {
        let error = Error::bad_input("no").at("line 3").at("a.csv").hint("one").hint("two");
        assert_eq!(error.to_string(), "a.csv: line 3: no [SF0100]\n  what to do: one");
    }

    #[test]
    fn the_innermost_operator_is_named_and_who_is_further_out_adds_nothing() {
        let error = Error::bad_input("no").at("line 3").in_operator("source 'a'");
        let error = error.in_operator("source 'b'").within("a[0]").at("job c");
        assert_eq!(error.message(), "job c: source 'a': line 3: no");
        assert_eq!(Error::internal("no").within("a[0]").message(), "a[0]: no");
    }

    #[test]
    fn a_code_is_printed_once_and_last_whatever_caused_the_error() {
        let cause = || Error::damaged("bits").at("object x").hint("restore").caused_by(fmt::Error);
        // A cause that says what has been said adds nothing.
        let error = Error::fenced("taken over").caused_by(cause());
        let text = format!("taken over: object x: bits: {}", fmt::Error);
        assert_eq!(error.message(), text);
        let whole = format!("{text} [SF0500]\n  what to do: restore");
        assert_eq!(error.to_string(), whole);
        assert_eq!(error.repeated().to_string(), whole);
        assert_eq!(error.repeated().kind(), ErrorKind::Fenced);
        assert_eq!((error.advice(), Error::internal("x").advice()), (Some("restore"), None));
    }
}
