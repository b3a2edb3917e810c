//! Streams that a function returns and a struct holds.

use std::time::Duration;

use steadfast::{BoxedKeyedStream, BoxedStream, Job};

use crate::function::{Crowd, Visit, Visits};
use crate::source::{Click, Clicks};

pub struct Streams {
    pub visits: BoxedStream<Visit>,
    pub crowds: BoxedStream<Crowd>,
}

impl Streams {
    pub fn of(job: &Job, clicks: Clicks) -> Self {
        let visits = by_user(job, clicks).named("pauses").process_with(Visits::declare);
        let (visits, crowds) = visits.sides();
        Streams { visits: visits.boxed(), crowds: crowds.boxed() }
    }
}

fn by_user(job: &Job, clicks: Clicks) -> BoxedKeyedStream<Click, String> {
    clicks_of(job, clicks).key_by_ref(|click| &click.user).boxed()
}

fn clicks_of(job: &Job, clicks: Clicks) -> BoxedStream<Click> {
    let clicks = job.source("clicks", clicks).event_time(Duration::ZERO, |click| click.at);
    clicks.filter(|click| !click.user.is_empty()).boxed()
}
