//! Aggregates that most jobs need: count, sum, least, greatest, average, the first n; and several at once.
//!
//! Sums and averages of integers are exact, in whatever order records come: they are kept in 128 bits. There
//! are none of floating-point numbers, whose sums depend on the order.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use steadfast_core::{Result, UserError};
use steadfast_state::State;

use super::aggregate::Aggregate;

/// Counts records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count;

impl<T> Aggregate<T> for Count {
    type State = u64;
    type Out = u64;

    fn init(&self) -> u64 {
        0
    }

    #[inline]
    fn add(&self, state: &mut u64, _item: &T) -> Result<(), UserError> {
        *state += 1;
        Ok(())
    }

    fn result(&self, state: &u64) -> u64 {
        *state
    }
}

/// The sum of what a function tells of the records; no number of 64-bit integers overflows it.
pub struct Sum<F>(pub F);

impl<T, N, F> Aggregate<T> for Sum<F>
where
    N: Into<i128>,
    F: Fn(&T) -> N + Send + Sync + 'static,
{
    type State = i128;
    type Out = i128;

    fn init(&self) -> i128 {
        0
    }

    #[inline]
    fn add(&self, state: &mut i128, item: &T) -> Result<(), UserError> {
        *state += (self.0)(item).into();
        Ok(())
    }

    fn result(&self, state: &i128) -> i128 {
        *state
    }
}

/// A sum, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mean {
    /// The exact sum.
    pub sum: i128,
    /// Of so many records.
    pub count: u64,
}

impl Mean {
    /// The sum divided by the count; 0 of nothing.
    pub fn value(self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }
}

/// The average of what a function tells of the records, as an exact fraction.
pub struct Average<F>(pub F);

impl<T, N, F> Aggregate<T> for Average<F>
where
    N: Into<i128>,
    F: Fn(&T) -> N + Send + Sync + 'static,
{
    type State = Mean;
    type Out = Mean;

    fn init(&self) -> Mean {
        Mean::default()
    }

    #[inline]
    fn add(&self, state: &mut Mean, item: &T) -> Result<(), UserError> {
        state.sum += (self.0)(item).into();
        state.count += 1;
        Ok(())
    }

    fn result(&self, state: &Mean) -> Mean {
        *state
    }
}

/// The least of what a function tells of the records.
pub struct Min<V, F>(F, PhantomData<fn() -> V>);

/// The greatest of what a function tells of the records.
pub struct Max<V, F>(F, PhantomData<fn() -> V>);

macro_rules! extreme {
    ($name:ident, $better:ident) => {
        impl<V, F> $name<V, F> {
            /// Of what `f` tells of the records.
            pub fn of<T>(f: F) -> Self
            where
                F: Fn(&T) -> V,
            {
                $name(f, PhantomData)
            }
        }

        impl<T, V, F> Aggregate<T> for $name<V, F>
        where
            V: State + Ord,
            F: Fn(&T) -> V + Send + Sync + 'static,
        {
            type State = Option<V>;
            type Out = Option<V>;

            fn init(&self) -> Option<V> {
                None
            }

            #[inline]
            fn add(&self, state: &mut Option<V>, item: &T) -> Result<(), UserError> {
                let value = (self.0)(item);
                *state = Some(match state.take() {
                    Some(known) => known.$better(value),
                    None => value,
                });
                Ok(())
            }

            fn result(&self, state: &Option<V>) -> Option<V> {
                state.clone()
            }
        }
    };
}

extreme!(Min, min);
extreme!(Max, max);

/// The n greatest of what a function tells of the records, the greatest first. What is equal counts as often
/// as it comes.
pub struct Top<V, F> {
    n: usize,
    f: F,
    value: PhantomData<fn() -> V>,
}

impl<V, F> Top<V, F> {
    /// The `n` greatest of what `f` tells of the records.
    pub fn of<T>(n: usize, f: F) -> Self
    where
        F: Fn(&T) -> V,
    {
        Top { n, f, value: PhantomData }
    }
}

impl<T, V, F> Aggregate<T> for Top<V, F>
where
    V: State + Ord,
    F: Fn(&T) -> V + Send + Sync + 'static,
{
    type State = Vec<V>;
    type Out = Vec<V>;

    fn init(&self) -> Vec<V> {
        Vec::new()
    }

    fn add(&self, state: &mut Vec<V>, item: &T) -> Result<(), UserError> {
        let value = (self.f)(item);
        let place = state.partition_point(|known| *known >= value);
        if place < self.n {
            state.truncate(self.n - 1);
            state.insert(place, value);
        }
        Ok(())
    }

    fn result(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }
}

macro_rules! several {
    ($($name:ident $number:tt),*) => {
        impl<T, $($name: Aggregate<T>),*> Aggregate<T> for ($($name,)*) {
            type State = ($($name::State,)*);
            type Out = ($($name::Out,)*);

            fn init(&self) -> Self::State {
                ($(self.$number.init(),)*)
            }

            #[inline]
            fn add(&self, state: &mut Self::State, item: &T) -> Result<(), UserError> {
                $(self.$number.add(&mut state.$number, item)?;)*
                Ok(())
            }

            fn result(&self, state: &Self::State) -> Self::Out {
                ($(self.$number.result(&state.$number),)*)
            }
        }
    };
}

several!(A 0, B 1);
several!(A 0, B 1, C 2);
several!(A 0, B 1, C 2, D 3);
several!(A 0, B 1, C 2, D 3, E 4);
several!(A 0, B 1, C 2, D 3, E 4, F 5);

#[cfg(test)]
mod tests {
    use super::*;

    fn of<G: Aggregate<i64>>(aggregate: &G, items: &[i64]) -> G::Out {
        let mut state = aggregate.init();
        items.iter().for_each(|item| aggregate.add(&mut state, item).unwrap());
        aggregate.result(&state)
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(of(&Sum(|n: &i64| *n), &[i64::MAX, i64::MAX]), 2 * i128::from(i64::MAX));
        assert_eq!(of(&Average(|n: &i64| *n), &[1, 2, 2]), Mean { sum: 5, count: 3 });
    }

    #[test]
    fn the_first_n_are_the_greatest_in_any_order() {
        let top = Top::of(3, |n: &i64| *n);
        for items in [[5, 1, 9, 5, 7], [1, 5, 5, 7, 9], [9, 7, 5, 5, 1]] {
            assert_eq!(of(&top, &items), [9, 7, 5]);
        }
        assert!(of(&Top::of(0, |n: &i64| *n), &[1, 2]).is_empty());
        assert_eq!(of(&Top::of(9, |n: &i64| *n), &[1, 2, 2]), [2, 2, 1]);
    }

    #[test]
    fn several_aggregates_see_the_same_records() {
        let all = (Count, Min::of(|n: &i64| *n), Max::of(|n: &i64| *n));
        assert_eq!(of(&all, &[3, 1, 2]), (3, Some(1), Some(3)));
    }
}
