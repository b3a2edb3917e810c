//! A sink into memory of which a test decides what becomes of each application; all else is passed on.

use std::sync::Arc;

use steadfast::chunks::Chunks;
use steadfast::memory::{CollectWriter, Collected};
use steadfast::prelude::*;
use steadfast::sink::Sink;
use steadfast::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};

type Answer = Result<Conditional<Applied>>;
/// Is given the real application, and answers in its place.
type OnApply = Arc<dyn Fn(&mut dyn FnMut() -> Answer) -> Answer + Send + Sync>;

/// See the module.
pub struct Watched {
    inner: Collect<u64>,
    on_apply: OnApply,
}

impl Watched {
    /// A sink into `collected`.
    pub fn into_collected(
        collected: &Collected<u64>,
        on_apply: impl Fn(&mut dyn FnMut() -> Answer) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Watched { inner: Collect::into_collected(collected), on_apply: Arc::new(on_apply) }
    }
}

struct WatchedTarget {
    inner: Box<dyn Target>,
    on_apply: OnApply,
}

impl Sink for Watched {
    type Item = u64;
    type Writer = CollectWriter<u64>;

    fn writer(&self) -> Result<CollectWriter<u64>> {
        self.inner.writer()
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let inner = self.inner.target(identity)?;
        Ok(Box::new(WatchedTarget { inner, on_apply: Arc::clone(&self.on_apply) }))
    }

    fn describe(&self) -> String {
        "watched".to_string()
    }
}

impl Target for WatchedTarget {
    fn look(&mut self) -> Result<TargetState> {
        self.inner.look()
    }

    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        self.inner.check(planned)
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        self.inner.acquire(expected, marker, adopt)
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Answer {
        (self.on_apply)(&mut || self.inner.apply(expected, marker, chunks, rejected))
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        self.inner.reset(expected, marker)
    }

    fn contents(&mut self) -> Result<String> {
        self.inner.contents()
    }

    fn format(&self) -> String {
        self.inner.format()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.inner.guarantee()
    }
}
