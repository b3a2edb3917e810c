//! Payments by number: each is a pure function of the seed and its number, and has an account of its own.

/// All payments of a round.
#[derive(Clone, Copy)]
pub(super) struct Payments {
    pub(super) seed: u64,
}

const FIRST_TIMESTAMP_MS: u64 = 1_700_000_000_000;
/// So that the day after which the job forgets a payment passes several times in a round.
const STEP_MS: u64 = 5_000;
/// The job expects a day.
const DISORDER_MS: u64 = 12 * 60 * 60 * 1000;

impl Payments {
    fn random(self, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// What it adds to the balance of its account.
    pub(super) fn cents(self, number: u64) -> i64 {
        let mut random = self.random(number);
        let cents = random.i64(1..100_000);
        if random.bool() { cents } else { -cents }
    }

    /// The line with its end.
    pub(super) fn line(self, number: u64) -> String {
        let cents = self.cents(number);
        let kind = if cents < 0 { "withdraw" } else { "deposit" };
        let (whole, hundredths) = (cents.abs() / 100, cents.abs() % 100);
        let mut random = self.random(number);
        let (noise, later) = (random.u64(..), random.u64(..DISORDER_MS));
        let timestamp = FIRST_TIMESTAMP_MS + number * STEP_MS + later;
        format!(
            "{{\"event_id\":\"{noise:x}-{number}\",\"account_id\":\"{number}\",\
             \"amount\":{whole}.{hundredths:02},\"type\":\"{kind}\",\"timestamp\":{timestamp}}}\n"
        )
    }
}
