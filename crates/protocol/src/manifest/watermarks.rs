//! How far event time had come for the tasks of an operator or a source.
//!
//! Tasks may be apart: those that read different splits, those whose barriers are not aligned, and those to
//! which it was said in another order that some input is idle. The next tasks may be others; so each
//! watermark is noted with the key groups of its task.

use serde::{Deserialize, Serialize};
use steadfast_core::key::KeyGroups;
use steadfast_core::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermarks(Vec<Watermark>);

/// The watermark of the task that had these key groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Watermark {
    groups: KeyGroups,
    at: Timestamp,
}

impl Watermarks {
    /// The task that has `groups` has come to `at`; what was known of its groups before counts no more.
    pub fn set(&mut self, groups: KeyGroups, at: Timestamp) {
        self.0.retain(|known| !known.groups.overlaps(groups));
        self.0.push(Watermark { groups, at });
        self.0.sort_by_key(|known| known.groups.first);
    }

    /// The greatest of all tasks.
    pub fn greatest(&self) -> Option<Timestamp> {
        self.0.iter().map(|known| known.at).max()
    }

    /// The greatest of the tasks that had any of `groups`.
    pub fn greatest_of(&self, groups: KeyGroups) -> Option<Timestamp> {
        let own = self.0.iter().filter(|known| known.groups.overlaps(groups));
        own.map(|known| known.at).max()
    }

    /// The least of the tasks that had any of `groups`; none if nothing is known of one of them.
    pub fn least(&self, groups: KeyGroups) -> Option<Timestamp> {
        let of = |group: u16| {
            let known = self.0.iter().find(|known| known.groups.range().contains(&group));
            known.map(|known| known.at)
        };
        groups.range().map(of).collect::<Option<Vec<_>>>()?.into_iter().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups((first, end): (u16, u16)) -> KeyGroups {
        KeyGroups { first, end }
    }

    #[test]
    fn a_task_goes_on_from_those_whose_groups_it_has() {
        let mut watermarks = Watermarks::default();
        watermarks.set(groups((0, 4)), Timestamp(50));
        assert_eq!(watermarks.least(groups((0, 8))), None, "of half of them nothing is known");
        watermarks.set(groups((4, 8)), Timestamp(70));
        for (own, least) in [((0, 4), 50), ((4, 8), 70), ((5, 6), 70), ((3, 5), 50), ((0, 8), 50)] {
            assert_eq!(watermarks.least(groups(own)), Some(Timestamp(least)), "{own:?}");
        }
        assert_eq!(watermarks.greatest(), Some(Timestamp(70)));
        assert_eq!(watermarks.greatest_of(groups((1, 4))), Some(Timestamp(50)));
        assert_eq!(watermarks.greatest_of(groups((3, 5))), Some(Timestamp(70)));
        // Other tasks: what was said of any of their groups by those before them counts no more.
        watermarks.set(groups((0, 3)), Timestamp(80));
        watermarks.set(groups((3, 8)), Timestamp(90));
        let least = watermarks.least(groups((0, 8)));
        assert_eq!((least, watermarks.greatest()), (Some(Timestamp(80)), Some(Timestamp(90))));
    }
}
