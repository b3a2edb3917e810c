//! What a test hears of the events that are told while it runs something.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The fields of an event and of the spans around it, with its `event` and `level`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(BTreeMap<&'static str, String>);

impl Heard {
    /// A field as text; nothing if it has none of that name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// These fields.
    pub(crate) fn all<const N: usize>(&self, names: [&str; N]) -> [&str; N] {
        names.map(|name| self.get(name))
    }
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_string());
    }
}

struct Listening(Arc<Mutex<Vec<Heard>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listening {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut heard = Heard::default();
        attributes.record(&mut heard);
        context.span(id).unwrap().extensions_mut().insert(heard);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut heard = Heard::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            heard.0.extend(span.extensions().get::<Heard>().unwrap().0.clone());
        }
        event.record(&mut heard);
        heard.0.insert("event", event.metadata().name().to_string());
        heard.0.insert("level", event.metadata().level().to_string());
        self.0.lock().unwrap().push(heard);
    }
}

/// Runs it, and returns what it returns and what it tells on this thread.
pub(crate) fn hear<T>(run: impl FnOnce() -> T) -> (T, Vec<Heard>) {
    // With one subscriber alone, what another thread tells first would count as wanted by nobody.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(Registry::default()));
    let heard = Arc::<Mutex<Vec<Heard>>>::default();
    let listening = Registry::default().with(Listening(Arc::clone(&heard))).set_default();
    let done = run();
    drop(listening);
    let heard = heard.lock().unwrap();
    (done, heard.clone())
}
