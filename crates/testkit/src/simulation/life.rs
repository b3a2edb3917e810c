//! How one process of a history is started, and how it ended.

use std::time::Duration;

use steadfast::Consistency;
use steadfast_checkpoint::limits::Limits;
use steadfast_core::ErrorKind;

use crate::topologies::Otherwise;

use super::sizes;

/// What may happen in a history at all.
#[derive(Clone, Debug)]
pub(super) struct Character {
    /// The level changes between lives.
    mixes_levels: bool,
    /// Some processes start from scratch.
    resets: bool,
    /// A sink comes and goes.
    pub(super) sinks_change: bool,
    /// The tables were created by others.
    pub(super) foreign: bool,
    /// Something is damaged between rounds.
    pub(super) damage: bool,
    /// The power fails more often than not, and what was not synced is gone then.
    pub(super) weak_power: bool,
}

impl Character {
    pub(super) fn draw(random: &mut fastrand::Rng) -> Self {
        let foreign = random.u8(..12) == 0;
        Character {
            mixes_levels: random.u8(..5) < 2,
            resets: !foreign && random.u8(..3) == 0,
            sinks_change: random.u8(..4) == 0,
            foreign,
            damage: random.u8(..3) == 0,
            weak_power: random.u8(..4) == 0,
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) level: Consistency,
    pub(super) parallelism: u16,
    pub(super) retained: usize,
    pub(super) interval: Option<Duration>,
    pub(super) records: Option<u64>,
    pub(super) batch: usize,
    /// Sizes that must decide no result.
    pub(super) limits: Limits,
    pub(super) reset: bool,
    pub(super) adopt: bool,
    /// Whether it has the sink that comes and goes.
    pub(super) extra: bool,
    /// Whether that may be new.
    pub(super) new: bool,
    /// Whether that may be forgotten.
    pub(super) forget: bool,
    /// The same of the state before that sink.
    pub(super) new_state: bool,
    pub(super) forget_state: bool,
    /// The step at which it is asked to stop.
    pub(super) stops_at: Option<u64>,
    /// At one step in so many somebody asks for a checkpoint; 0: never.
    pub(super) requests: u32,
    /// Whether its sources have nothing for a while now and then.
    pub(super) sleepy: bool,
    /// The file of its input that it is not given.
    pub(super) left_out: Option<usize>,
    /// What it has to say, where it must be refused.
    pub(super) must_say: Option<&'static str>,
    /// In what its job is another one.
    pub(super) otherwise: Otherwise,
    pub(super) nonce: u64,
    pub(super) end: Option<End>,
}

impl Life {
    pub(super) fn draw(
        random: &mut fastrand::Rng,
        character: &Character,
        level: Consistency,
        can_have_extra: bool,
    ) -> Self {
        let levels = [Consistency::ExactlyOnce, Consistency::AtLeastOnce, Consistency::AtMostOnce];
        let mixed = levels[random.usize(..3)];
        let often = [20, 60, 200, 1000][random.usize(..4)];
        let largest = [3, 8, 30][random.usize(..3)];
        let interval = Duration::from_micros(random.u64(10..often));
        Life {
            level: if character.mixes_levels { mixed } else { level },
            parallelism: [1, 1, 2, 3, 4, 8][random.usize(..6)],
            retained: [1, 2, 3, 3, 4][random.usize(..5)],
            interval: (random.u8(..8) != 0).then_some(interval),
            records: (random.u8(..4) == 0).then(|| random.u64(1..100)),
            batch: random.usize(1..largest),
            limits: sizes::draw(random),
            reset: character.resets && random.u8(..4) == 0,
            adopt: character.foreign && random.u8(..4) != 0,
            extra: can_have_extra && random.bool(),
            new: random.u8(..3) != 0,
            forget: random.u8(..3) != 0,
            new_state: random.u8(..6) != 0,
            forget_state: random.u8(..6) != 0,
            stops_at: (random.u8(..6) == 0).then(|| random.u64(..300)),
            requests: [0, 0, 0, 30, 200][random.usize(..5)],
            sleepy: random.u8(..4) == 0,
            left_out: None,
            must_say: None,
            otherwise: Otherwise::default(),
            nonce: random.u64(..),
            end: None,
        }
    }
}

impl Life {
    /// One that nothing but what it finds keeps from its end.
    pub(super) fn willing(self, adopt: bool) -> Self {
        Life {
            reset: false,
            adopt,
            new: true,
            forget: true,
            new_state: true,
            forget_state: true,
            stops_at: None,
            ..self
        }
    }
}

/// How a process ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Finished,
    /// Stopped cleanly after a last checkpoint.
    Stopped,
    /// There was nothing left to do.
    Nothing,
    Failed(ErrorKind, String),
    Hangs(String),
}
