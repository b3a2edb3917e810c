//! Slices of time of one length, one behind the other, with something kept for each.

use std::collections::VecDeque;

/// See the module. A slice is named by its start divided by the length.
pub struct Slices<T> {
    length: i64,
    first: i64,
    slices: VecDeque<T>,
}

impl<T: Default> Slices<T> {
    /// None yet, of `length` each.
    pub fn new(length: i64) -> Self {
        Slices { length, first: 0, slices: VecDeque::new() }
    }

    /// What is kept for the slice that `time` is in.
    #[inline]
    pub fn at(&mut self, time: i64) -> &mut T {
        let slice = time.div_euclid(self.length);
        if self.slices.is_empty() {
            self.first = slice;
        }
        while slice < self.first {
            self.slices.push_front(T::default());
            self.first -= 1;
        }
        while slice >= self.end() {
            self.slices.push_back(T::default());
        }
        &mut self.slices[(slice - self.first) as usize]
    }

    pub fn get(&self, slice: i64) -> Option<&T> {
        usize::try_from(slice - self.first).ok().and_then(|place| self.slices.get(place))
    }

    /// The first slice of which something is kept.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// The slice after the last.
    pub fn end(&self) -> i64 {
        self.first + self.slices.len() as i64
    }

    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    pub fn take_first(&mut self) -> T {
        self.first += 1;
        self.slices.pop_front().unwrap_or_default()
    }

    /// Forgets the slices before this one.
    pub fn forget_before(&mut self, slice: i64) {
        while !self.is_empty() && self.first < slice {
            self.take_first();
        }
    }
}
