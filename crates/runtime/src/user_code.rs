//! Names the operator in whatever goes wrong in user code.
//!
//! Several operators run in one loop, and a panic unwinds through all of them: so each call of a user's function
//! stands in a frame that notes its operator, for the thread, while it is unwound. Where nothing panics the
//! frame does nothing at all. `caught` makes an error of the panic and of what was noted. Nothing here knows
//! what the operators do.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Once};

use steadfast_core::printable::one_line;
use steadfast_core::{Cause, Error, Result};

/// An operator as errors name it: `operator 'rows' (map)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorId {
    role: &'static str,
    name: Arc<str>,
    kind: &'static str,
}

impl OperatorId {
    /// The operator `name` of a kind such as `map`.
    pub fn new(name: impl Into<Arc<str>>, kind: &'static str) -> Self {
        OperatorId { role: "operator", name: name.into(), kind }
    }

    /// The source `name`; `kind` says which of its functions, if it is not the source itself.
    pub(crate) fn source(name: impl Into<Arc<str>>, kind: &'static str) -> Self {
        OperatorId { role: "source", name: name.into(), kind }
    }

    /// The sink `name`.
    pub fn sink(name: impl Into<Arc<str>>) -> Self {
        OperatorId { role: "sink", name: name.into(), kind: "" }
    }

    /// The function that tells the key of this operator's records.
    #[must_use]
    pub fn key(self) -> Self {
        OperatorId { role: "key of operator", ..self }
    }

    /// Its name alone.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It in one of so many parallel tasks, which are counted from 0.
    pub(crate) fn in_task(&self, index: u16, tasks: u16) -> OperatorLabel {
        let (name, task) = (Arc::clone(&self.name), u32::from(index) + 1);
        OperatorLabel { name, shown: format!("{self}, task {task} of {tasks}").into() }
    }

    /// It outside of any task, where the job is put together.
    pub(crate) fn outside(&self) -> OperatorLabel {
        OperatorLabel { name: Arc::clone(&self.name), shown: self.to_string().into() }
    }
}

impl std::fmt::Display for OperatorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let OperatorId { role, name, kind } = self;
        match *kind {
            "" => write!(f, "{role} '{name}'"),
            kind => write!(f, "{role} '{name}' ({kind})"),
        }
    }
}

/// An operator in a task: `operator 'rows' (map), task 1 of 4`.
#[derive(Clone, Debug)]
pub struct OperatorLabel {
    name: Arc<str>,
    shown: Arc<str>,
}

impl OperatorLabel {
    /// The operator's name alone.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Calls a function of the user. If it panics, this operator is named, unless a call within it has been
    /// named already.
    #[inline(always)]
    pub(crate) fn calls<R>(&self, function: impl FnOnce() -> R) -> R {
        let frame = Frame(self);
        let result = function();
        // So that what is left of the frame is a place where panics come by.
        std::mem::forget(frame);
        result
    }

    /// Names the operator in its error.
    #[cold]
    pub(crate) fn names(&self, error: Error) -> Error {
        error.in_operator(&*self.shown)
    }
}

struct Frame<'a>(&'a OperatorLabel);

impl Drop for Frame<'_> {
    // What is noted is taken by value: so the frame needs no place in memory, which each call would write.
    #[inline(always)]
    fn drop(&mut self) {
        note(self.0);
    }
}

#[cold]
#[inline(never)]
fn note(label: &OperatorLabel) {
    PANIC.with_borrow_mut(|panic| {
        panic.operator.get_or_insert_with(|| Arc::clone(&label.shown));
    });
}

/// What is known of the latest panic of a thread.
#[derive(Default)]
struct Noted {
    operator: Option<Arc<str>>,
    /// The file and line.
    line: Option<String>,
}

thread_local! {
    static PANIC: RefCell<Noted> = RefCell::default();
    /// Whether a panic of this thread would be caught by the engine.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes an error that names its operator, and its line if it is known.
///
/// # Errors
/// Those of `work`; `UserCode` if it panicked.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What user code has caught itself is over.
    PANIC.set(Noted::default());
    let before = IS_WATCHED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_WATCHED.set(before);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "a panic without a message".to_string());
        let Noted { operator, line } = PANIC.take();
        let text = one_line(&text);
        let line = line.map_or(String::new(), |line| format!(" ({line})"));
        let error = Error::because(Cause::PANIC, format!("panicked: {text}{line}"))
            .hint("a panic in an operator ends the attempt; the newest checkpoint is not affected");
        Err(match operator {
            Some(operator) => error.in_operator(&*operator),
            None => error,
        })
    })
}

/// Has the lines of panics noted from now on, in threads whose panics the engine catches; those of all others
/// are left alone. Whoever was told of panics before is told of all of them still.
pub(crate) fn note_lines() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if IS_WATCHED.get() {
                note_line(panic);
            }
            before(panic);
        }));
    });
}

fn note_line(panic: &PanicHookInfo<'_>) {
    let line = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    // A panic while another is noted is not worth a third one.
    let _ = PANIC.try_with(|noted| noted.try_borrow_mut().map(|mut noted| noted.line = line));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> OperatorLabel {
        OperatorId::new(name, "map").in_task(1, 4)
    }

    fn message(work: impl FnOnce() -> Result<()>) -> String {
        caught(work).unwrap_err().message()
    }

    #[test]
    fn the_innermost_operator_is_named_and_nobody_who_is_through() {
        let (outer, inner, other) = (label("outer"), label("inner"), label("other"));
        let text = message(|| {
            other.calls(|| ());
            outer.calls(|| inner.calls(|| panic!("no")))
        });
        assert!(text.starts_with("operator 'inner' (map), task 2 of 4: panicked: no"), "{text}");
    }

    #[test]
    fn what_user_code_has_caught_itself_is_forgotten() {
        let (first, second) = (label("first"), label("second"));
        assert!(std::panic::catch_unwind(|| first.calls(|| panic!("mine"))).is_err());
        let text = message(|| second.calls(|| panic!("yours")));
        assert!(text.starts_with("operator 'second' (map)"), "{text}");
        let text = message(|| panic!("nobody's"));
        assert!(text.starts_with("panicked: nobody's"), "{text}");
    }

    #[test]
    fn the_line_of_a_panic_is_told() {
        note_lines();
        let (label, line) = (label("rows"), line!() + 1);
        let text = message(|| label.calls(|| panic!("no")));
        assert!(text.ends_with(&format!("user_code.rs:{line})")), "{text}");
    }
}
