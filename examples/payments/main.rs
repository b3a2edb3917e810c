//! Account balances from a stream of payments, exact to the cent: no payment is lost and none is
//! counted twice, although some arrive twice and the process may die at any moment.
//!
//! ```text
//! cargo run --release --example payments -- run
//! sqlite3 payments.sqlite 'SELECT * FROM balances LIMIT 5'
//! ```

mod event;
mod flags;
mod generate;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use steadfast::formats::Json;
use steadfast::prelude::*;
use steadfast::source::Source;

use event::Payment;
use flags::{Cli, Command, Flags, Input, SinkFlag};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Generate(args) => steadfast::cli::exit(args.generate()),
        Command::Job(command) => steadfast::cli::execute(command, build, summary),
    }
}

/// Puts the job together; nothing runs before the engine has taken it over.
fn build(flags: &Flags) -> Result<Job, UserError> {
    let job = Job::new(flags.job_name());
    match flags.input()? {
        Input::Files(paths) => {
            let files = JsonLines::new(paths);
            balances(&job, if flags.follow { files.follow() } else { files }, flags);
        }
        // It cannot be read again: a crash loses what is in no checkpoint, and the job says so.
        Input::Standard => balances(&job, LineStream::standard_input(Json::new()), flags),
    }
    Ok(job)
}

/// From payments to balances.
fn balances(job: &Job, input: impl Source<Item = Payment>, flags: &Flags) {
    // The names of sources, operators and sinks are what their positions and state are kept under:
    // they must stay the same from run to run.
    // Nothing is known of how far the payments are out of order: by a day at most.
    let day = Duration::from_secs(24 * 60 * 60);
    let payments =
        job.source("payments", input).event_time(day, |payment| Timestamp(payment.timestamp));
    let payments = match flags.bad_input() {
        BadInput::Fail => payments,
        BadInput::Skip => payments.skip_bad_input(),
        BadInput::DeadLetter => {
            payments.dead_letters("dead-letters", DeadLetterSink::new(flags.dead_letters()))
        }
    };
    if flags.naive {
        // What a job without deduplication would show: wrong balances.
        write_balances(payments, flags);
    } else {
        // A payment may come again for a day, by the time that the payments themselves tell.
        let payments = payments.named("deduplicate").dedup(|p| &p.event_id, Expiry::After(day));
        write_balances(payments, flags);
    }
}

/// Adds up the payments of each account and sends the balances to the sink.
fn write_balances(payments: Stream<impl OperatorChain<Out = Payment>>, flags: &Flags) {
    let balances = payments
        .key_by_ref(|payment| &payment.account_id)
        .named("accounts")
        .fold(flags.emit(), Balance::default, Balance::add)
        .named("rows")
        .try_map(|(account_id, balance)| balance.into_row(account_id));
    match flags.sink() {
        // Each checkpoint replaces the rows of the accounts that have changed, in one transaction.
        SinkFlag::Sqlite(path) => {
            balances.sink("balances", Sqlite::<Row>::rows(path, "balances").key(["account_id"]));
        }
        SinkFlag::JsonLines(folder) => {
            balances.sink("balances", JsonLinesSink::<Row>::new(folder));
        }
        SinkFlag::Stdout => balances.sink("balances", StdoutSink::<Row>::new()),
    }
}

/// What is kept for each account.
#[derive(Clone, Serialize, Deserialize)]
struct Balance {
    /// None once the sum was too large for 64 bits: it is never wrong in silence.
    cents: Option<i64>,
    payments: u64,
}

/// What is shown of each account; the fields are the columns of the table.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    account_id: CompactString,
    balance_cents: i64,
    payments: u64,
}

impl Default for Balance {
    fn default() -> Self {
        Balance { cents: Some(0), payments: 0 }
    }
}

impl Balance {
    fn add(&mut self, payment: &Payment) {
        self.cents = self.cents.and_then(|cents| cents.checked_add(payment.signed_cents()));
        self.payments += 1;
    }

    fn into_row(self, account_id: CompactString) -> Result<Row, UserError> {
        let Balance { cents, payments } = self;
        let too_large = || format!("the balance of account {account_id} does not fit in 64 bits");
        let balance_cents = cents.ok_or_else(too_large)?;
        Ok(Row { account_id, balance_cents, payments })
    }
}

/// What this job adds to the summary of a run.
fn summary(report: &Report, _flags: &Flags) -> Value {
    json!({
        "duplicates": report.counter("deduplicate", "duplicates"),
        "accounts": report.counter("accounts", "keys"),
    })
}
