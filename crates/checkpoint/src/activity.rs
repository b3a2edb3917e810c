//! Whether anything has happened that a checkpoint would keep.
//!
//! Tasks note it by the batch; the coordinator asks before it takes a checkpoint. It knows nothing of what has
//! happened.

use steadfast_core::sync::atomic::{AtomicBool, Ordering};

/// See the module.
///
/// What is noted before the answer is taken is in the checkpoint that is taken for it: its barrier goes out
/// later. What is noted after it is there for the next one. So nothing is forgotten, and at worst one
/// checkpoint is taken for what is in the one before already.
///
/// ```
/// use steadfast_checkpoint::activity::Activity;
///
/// let activity = Activity::default();
/// assert!(!activity.take());
/// activity.note();
/// assert!(activity.take() && !activity.take());
/// ```
#[derive(Debug, Default)]
pub struct Activity(AtomicBool);

impl Activity {
    /// Something has happened.
    #[inline]
    pub fn note(&self) {
        // Nearly always it has been noted: then no other core is kept from reading it.
        if !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// Whether anything has happened since this was asked last.
    pub fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::AcqRel)
    }
}
