//! What a user may meet, each with a code of its own: `SF0301`. The kind of a cause says what to do next.
//!
//! Codes are stable: one that was printed once is never given to another cause. It knows nothing of the pages that
//! explain them.

/// What to do about an error, from the point of view of whoever runs the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input holds something that is not a record: fix it, or choose another policy.
    BadInput,
    /// User code returned an error or panicked: fix the code.
    UserCode,
    /// A setting or a combination of settings cannot work: change it.
    Configuration,
    /// An outside system did not answer or refused: it may work later.
    Unavailable,
    /// Another process has taken over this job: this one must stop and commit nothing more.
    Fenced,
    /// Stored data fails its checksum or is missing.
    Damaged,
    /// The engine broke one of its own rules: report it.
    Internal,
    /// A target refuses committed output for good: correct the target, or have such rows set aside.
    Rejected,
}

impl ErrorKind {
    /// What the code of every error of this kind begins with; `docs/errors.md` explains them.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::BadInput => "SF01",
            ErrorKind::UserCode => "SF02",
            ErrorKind::Configuration => "SF03",
            ErrorKind::Unavailable => "SF04",
            ErrorKind::Fenced => "SF05",
            ErrorKind::Damaged => "SF06",
            ErrorKind::Internal => "SF07",
            ErrorKind::Rejected => "SF08",
        }
    }
}

/// Why something has gone wrong, as far as it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cause {
    code: &'static str,
    kind: ErrorKind,
}

impl Cause {
    /// The code: `SF`, two digits for the kind, two for the cause, which are `00` where it has no name.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// What to do about it.
    pub fn kind(self) -> ErrorKind {
        self.kind
    }
}

macro_rules! causes {
    ($($kind:ident $unnamed:ident $unnamed_code:literal { $($(#[$doc:meta])* $name:ident $code:literal,)* })*) => {
        impl Cause {
            $(
                /// Of this kind, and not further named.
                pub const $unnamed: Cause = Cause { code: $unnamed_code, kind: ErrorKind::$kind };
                $(
                    $(#[$doc])*
                    pub const $name: Cause = Cause { code: $code, kind: ErrorKind::$kind };
                )*
            )*

            /// All of them, in the order of their codes.
            pub const ALL: &[Cause] = &[$(Cause::$unnamed, $(Cause::$name,)*)*];

            /// The cause of this kind that has no name.
            pub fn unnamed(kind: ErrorKind) -> Cause {
                match kind {
                    $(ErrorKind::$kind => Cause::$unnamed,)*
                }
            }
        }
    };
}

causes! {
    BadInput BAD_INPUT "SF0100" {
        /// A piece of the input is no record.
        BAD_RECORD "SF0101",
        /// A compressed file is damaged or cut off.
        CUT_OFF "SF0102",
        /// Nothing in a file can be read as what it should be.
        UNUSABLE_FILE "SF0103",
        /// The first inputs of a source are all bad.
        ALL_BAD "SF0104",
        /// More of the input is bad than is allowed.
        TOO_MUCH_BAD "SF0105",
    }
    UserCode USER_CODE "SF0200" {
        /// A function of the job has returned an error.
        USER_ERROR "SF0201",
        /// A function of the job has panicked.
        PANIC "SF0202",
        /// A record, or a key or value of state, does not serialize.
        NOT_SERIALIZED "SF0203",
        /// A row has another number of values than there are columns.
        ROW_WIDTH "SF0204",
    }
    Configuration CONFIGURATION "SF0300" {
        /// The job cannot be built: a stream that ends nowhere, windows without length, and so on.
        PLAN "SF0301",
        /// The names of states are taken or cannot be.
        STATE_NAMES "SF0302",
        /// What is stored does not fit its type any more.
        STATE_TYPE "SF0303",
        /// The checkpoint holds what the job has no place for.
        HOMELESS "SF0304",
        /// The job keeps what the checkpoint does not hold.
        BEGINS_EMPTY "SF0305",
        /// What is to be forgotten is still there, or two names claim the same.
        NAMES_COLLIDE "SF0306",
        /// An operator emits in another way than before.
        OTHER_MODE "SF0307",
        /// The target was there before the job, or belongs to another.
        TARGET_FOREIGN "SF0308",
        /// Another store of this job has written to the target.
        TARGET_OF_ANOTHER_STORE "SF0309",
        /// The sink is new in the job.
        NEW_SINK "SF0310",
        /// The checkpoint holds output in a form that the target does not take.
        OTHER_FORMAT "SF0311",
        /// An input file has become shorter.
        INPUT_SHORTER "SF0312",
        /// An input that was being read is no longer asked for.
        INPUT_GONE "SF0313",
        /// An input may not be read, is a folder, or has a path that cannot be kept.
        INPUT_UNUSABLE "SF0314",
        /// An input was read in another way before.
        INPUT_OTHER "SF0315",
        /// The target, or the place of the checkpoints, may not be written to.
        NOT_WRITABLE "SF0316",
        /// The table is not what the sink writes.
        TABLE_UNFIT "SF0317",
        /// An option has a value that cannot work.
        OPTION "SF0318",
        /// There is no such job or checkpoint.
        NO_SUCH_CHECKPOINT "SF0319",
        /// Another release has written what is stored.
        OTHER_RELEASE "SF0320",
        /// More waits to be put in order than there is room for.
        TOO_MUCH_WAITS "SF0321",
        /// An input file is not the one that was read.
        INPUT_CHANGED "SF0322",
        /// What was not yet read of a file that is followed was taken away.
        INPUT_TRUNCATED "SF0323",
        /// The file of options cannot be read, or says what cannot be.
        CONFIG_FILE "SF0324",
        /// Operators are called the same.
        SAME_NAME "SF0325",
        /// An operator keeps state, and nobody has chosen its name.
        UNNAMED_STATE "SF0326",
    }
    Unavailable UNAVAILABLE "SF0400" {
        /// The place of the checkpoints does not answer.
        STORE_AWAY "SF0401",
        /// A target does not answer.
        TARGET_AWAY "SF0402",
        /// An input cannot be read.
        INPUT_AWAY "SF0403",
        /// The job was asked to stop, and did not in time.
        NOT_STOPPED "SF0404",
    }
    Fenced FENCED "SF0500" {
        /// Another process has taken the job over.
        JOB_TAKEN_OVER "SF0501",
        /// Another process has taken the target over.
        TARGET_TAKEN_OVER "SF0502",
    }
    Damaged DAMAGED "SF0600" {
        /// No checkpoint is intact.
        NO_INTACT_CHECKPOINT "SF0601",
        /// The log of checkpoints has a hole.
        LOG_HOLE "SF0602",
        /// The target lacks output that it has had.
        OUTPUT_LOST "SF0603",
        /// The target holds output that the checkpoint knows nothing of.
        OUTPUT_AHEAD "SF0604",
        /// The target was written by a process that the store does not know.
        UNKNOWN_WRITER "SF0605",
        /// A look at all that is stored has found damage.
        VERIFIED_DAMAGED "SF0606",
    }
    Internal INTERNAL "SF0700" {}
    Rejected REJECTED "SF0800" {
        /// A target refuses committed rows for good.
        ROWS_REJECTED "SF0801",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_begins_with_that_of_its_kind_and_is_given_once() {
        for cause in Cause::ALL {
            assert_eq!(&cause.code()[..4], cause.kind().code());
            assert_eq!(cause.code().len(), 6);
        }
        let codes = || Cause::ALL.iter().map(|cause| cause.code());
        assert!(codes().is_sorted_by(|one, next| one < next));
    }
}
