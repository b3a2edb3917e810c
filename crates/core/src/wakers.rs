//! Who waits for the same thing, to be woken together. It knows nothing of what they wait for.

use std::task::Waker;

/// See the module.
#[derive(Debug, Default)]
pub struct Wakers(Vec<Waker>);

impl Wakers {
    /// Adds whoever is woken by `waker`, once.
    pub fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|waiting| waiting.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Wakes all, who wait no more.
    pub fn wake_all(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
