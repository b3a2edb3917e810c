//! A function of one's own: visits of users, each of which ends with a pause.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast::time::Timestamp;
use steadfast::{
    Clock, Emitter, KeyedContext, KeyedStates, ListState, MapState, ProcessFunction, Sided,
    UserError, ValueState,
};

use crate::source::Click;

const PAUSE: Duration = Duration::from_millis(10);
const TOO_MANY: usize = 5;

#[derive(Debug, Serialize, Deserialize)]
pub struct Visit {
    pub user: String,
    pub pages: usize,
    pub clicks: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Crowd {
    pub user: String,
}

pub struct Visits {
    ends: ValueState<i64>,
    times: ListState<i64>,
    pages: MapState<String, u32>,
}

impl Visits {
    pub fn declare(states: &mut KeyedStates<String>) -> Self {
        Visits {
            ends: states.value("ends"),
            times: states.list("times"),
            pages: states.map("pages"),
        }
    }

    /// The visit is over: it is told, and forgotten.
    fn end(
        &self,
        context: &mut KeyedContext<'_, String>,
        out: &mut Emitter<'_, Sided<Visit, Crowd>>,
    ) {
        let user = context.key().clone();
        let (mut times, mut pages) = context.both(self.times, self.pages);
        let visit = Visit { user, pages: pages.len(), clicks: times.len() };
        // Of a crowd nothing is told but that it is one.
        if visit.clicks < TOO_MANY {
            out.push(Sided::Main(visit));
        }
        while times.pop_first().is_some() {}
        pages.remove(&"/".to_string());
        pages.clear();
        context.clear(self.ends);
    }
}

impl ProcessFunction<String, Click> for Visits {
    type Out = Sided<Visit, Crowd>;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, String>,
        click: &Click,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        if let Some(end) = context.get(self.ends).copied().map(Timestamp) {
            context.clear_timer(end);
            // The watermark may not have come that far yet, but this user's clicks have.
            if context.time() >= end {
                self.end(context, out);
            }
        }
        let end = context.time().plus(PAUSE);
        context.set(self.ends, end.0);
        context.set_timer(end);
        // Two states at once.
        let (mut times, mut pages) = context.both(self.times, self.pages);
        times.push(click.at.0);
        *pages.value(&click.page) += 1;
        if times.len() == TOO_MANY {
            out.push(Sided::Side(Crowd { user: click.user.clone() }));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, String>,
        _clock: Clock,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        self.end(context, out);
        Ok(())
    }
}
