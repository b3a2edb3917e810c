//! Sizes that decide speed and memory and must never decide a result: drawn for each process, often
//! as small as they can be.
//!
//! So a few hundred records fill channels and budgets, and a few dozen keys fill files and blocks.

use steadfast_checkpoint::limits::Limits;
use steadfast_core::state::StateLimits;

/// Draws sizes.
pub(super) fn draw(random: &mut fastrand::Rng) -> Limits {
    let mut one_of = |sizes: &[usize]| sizes[random.usize(..sizes.len())];
    let usual = Limits::default();
    let (few, many) = [(1, 1), (1, 3), (2, 4), usual.state.checkpoints][one_of(&[0, 1, 2, 3])];
    // One in four has one small limit of those for which somebody waits, so that it can be told which.
    let only = one_of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    let drawn = Limits {
        channel_batches: one_of(&[1, 1, 2, 5, usual.channel_batches]),
        poll_bytes: one_of(&[1, 50, 500, usual.poll_bytes]),
        heavy_poll_bytes: one_of(&[1, 1, 200, usual.heavy_poll_bytes]),
        in_flight_bytes: one_of(&[0, 1, 300, usual.in_flight_bytes]),
        early_output_bytes: one_of(&[1, 30, 300, usual.early_output_bytes]),
        staged_bytes: one_of(&[0, 1, 500, usual.staged_bytes]),
        kept_chunk_bytes: one_of(&[0, 100, usual.kept_chunk_bytes]),
        unapplied_bytes: one_of(&[0, 1, 300, usual.unapplied_bytes]),
        copied_bytes: one_of(&[0, 100, usual.copied_bytes]),
        listed_splits: one_of(&[0, 1, 3, usual.listed_splits]),
        state: StateLimits {
            file_bytes: one_of(&[1, 100, 1000, usual.state.file_bytes]),
            block_bytes: one_of(&[1, 60, 400, usual.state.block_bytes]),
            read_factor: one_of(&[1, 1, 2, 3]) as u64,
            read_slack: one_of(&[0, 0, 20, 8192]) as u64,
            checkpoints: (few, many),
            entries_for_each: one_of(&[1, 20, 32 * 1024]) as u64,
        },
    };
    let Limits { poll_bytes, kept_chunk_bytes, listed_splits, state, .. } = drawn.clone();
    let others = Limits { poll_bytes, kept_chunk_bytes, listed_splits, state, ..usual };
    match only {
        0 => Limits { channel_batches: 1, ..others },
        1 => Limits { heavy_poll_bytes: 1, in_flight_bytes: 0, ..others },
        2 => Limits { early_output_bytes: 1, staged_bytes: 0, ..others },
        3 => Limits { unapplied_bytes: 0, ..others },
        4 => Limits { copied_bytes: 0, ..others },
        _ => drawn,
    }
}
