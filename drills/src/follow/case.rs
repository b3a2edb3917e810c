//! A round: its name is its seed, which decides the rest.

use std::fmt;

use super::form::{Form, Naming};
use crate::campaign;

/// One round.
#[derive(Clone, Debug)]
pub struct Case {
    /// Decides everything else.
    pub seed: u64,
    /// What rotated logs are called.
    pub naming: Naming,
    /// Whether payments that come twice count as two. If not, the job forgets payments by their time, and
    /// they are out of order.
    pub naive: bool,
}

impl Case {
    /// The round of this seed, with names that one of `forms` rotates to.
    pub(super) fn of(seed: u64, forms: &[Form]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let is_rotated =
            |naming: &Naming| naming.rotations().iter().any(|form| forms.contains(form));
        let namings: Vec<_> = Naming::ALL.into_iter().filter(is_rotated).collect();
        let naming = random.choice(namings).unwrap_or(Naming::Numbered);
        Case { seed, naming, naive: random.u32(..3) > 0 }
    }
}

impl campaign::Case for Case {
    const MANY: &'static str = "rounds";
    const EXCUSED: &'static str = "took more than five seconds to catch up in the end";

    fn group(&self) -> String {
        let job =
            if self.naive { "payments that are all counted" } else { "payments in any order" };
        format!("{job}, {}", self.naming)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)
    }
}
