//! Finds the end of a run of numbers by asking about single ones. It knows nothing of logs.

use steadfast_core::Result;

/// The first number from `first` on that is absent, where all before it are present: in doubling steps
/// beyond it, then by halving.
pub(super) fn first_absent(first: u64, is_present: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut present_before, mut step) = (first, 1);
    while is_present(present_before + step - 1)? {
        present_before += step;
        step *= 2;
    }
    let mut absent = present_before + step - 1;
    while present_before < absent {
        let middle = present_before + (absent - present_before) / 2;
        if is_present(middle)? {
            present_before = middle + 1;
        } else {
            absent = middle;
        }
    }
    Ok(absent)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_first_absent_number_is_found_wherever_it_is() {
        for first in [0, 1, 7] {
            for absent in first..first + 70 {
                let found = first_absent(first, |number| Ok(number < absent)).unwrap();
                assert_eq!(found, absent, "from {first}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_entries_are_looked_through_in_a_few_dozen_gets() {
        let asked = AtomicU64::new(0);
        let found = first_absent(1, |number| {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(number < 100_000)
        });
        assert_eq!(found.unwrap(), 100_000);
        assert!(asked.into_inner() < 40);
    }
}
