//! Deliberate faults: a switch for tests that must show that they would notice.
//!
//! Without the feature `faults` there is no way to switch one on and the checks cost nothing. The
//! simulation proves its worth by finding every fault listed here.

/// A way in which the engine could be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A task forwards a barrier and goes on before it has frozen its state.
    BarrierBeforeSnapshot,
    /// A source records a position one record too far.
    PositionOffByOne,
    /// An input is read on after its barrier while others still wait for theirs.
    ChannelNotBlocked,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 3] =
        [Fault::BarrierBeforeSnapshot, Fault::PositionOffByOne, Fault::ChannelNotBlocked];
}

/// Which fault is switched on, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    #[cfg(feature = "faults")]
    active: Option<Fault>,
}

impl Faults {
    /// None: the engine as it is.
    pub const NONE: Faults = Faults {
        #[cfg(feature = "faults")]
        active: None,
    };

    /// Switches one on.
    #[cfg(feature = "faults")]
    pub fn with(fault: Fault) -> Self {
        Faults { active: Some(fault) }
    }

    /// Whether `fault` is switched on.
    #[inline]
    pub fn has(self, fault: Fault) -> bool {
        #[cfg(feature = "faults")]
        return self.active == Some(fault);
        #[cfg(not(feature = "faults"))]
        {
            let _ = fault;
            false
        }
    }
}
