//! Runs a job at a constant rate for long, takes its target away in the middle, and says how much memory
//! and processor time it takes minute by minute, and whether its result is exact.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rusqlite::Connection;
use steadfast_drills::payments;

/// A job at a constant rate for long, whose target is away for a while
#[derive(Parser)]
#[command(
    name = "soak",
    after_help = "Examples:\n  soak --minutes 30 --away-from 12 --away 5\n  soak --minutes 2 --away-from 1 --away 0.5\n  \
    soak --rate 1 --minutes 2 --away 0       what an idle job costs"
)]
struct Arguments {
    /// How long readings come.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How many come in a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// When the target goes away: its database is locked by somebody else.
    #[arg(long, value_name = "MINUTE", default_value_t = 12.0)]
    away_from: f64,
    /// For how many minutes it is away.
    #[arg(long, value_name = "MINUTES", default_value_t = 5.0)]
    away: f64,
    /// How many tasks each operator has.
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
}

/// As many sensors as the example has if it is not told.
const SENSORS: u64 = 100_000;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let (binary, folder) = (payments::build_example("steady"), tempfile::tempdir()?);
    let seconds = (arguments.minutes * 60.0).round() as u64;
    let mut run = Command::new(binary)
        .current_dir(folder.path())
        .args(["run", "--rate", &arguments.rate.to_string(), "--seconds", &seconds.to_string()])
        .args(["--checkpoint-interval", "1s", "--parallelism", &arguments.parallelism.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .context("the job does not start")?;
    println!("minute  memory now  most so far  cpu seconds");
    let database = folder.path().join("steady.sqlite");
    let (began, minute) = (Instant::now(), |minutes: f64| Duration::from_secs_f64(minutes * 60.0));
    let (from, until) = (arguments.away_from, arguments.away_from + arguments.away);
    let mut locked: Option<Connection> = None;
    let (mut next, mut was_away) = (0.0, arguments.away == 0.0);
    while run.try_wait()?.is_none() {
        let now = began.elapsed();
        if !was_away && locked.is_none() && now >= minute(from) {
            locked = Some(lock(&database)?);
            println!("        the target goes away");
        }
        if now >= minute(until)
            && let Some(connection) = locked.take()
        {
            drop(connection);
            was_away = true;
            println!("        the target is back");
        }
        if now >= minute(next) {
            tell(&run, next)?;
            next += 1.0_f64.min(arguments.minutes / 4.0);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let status = run.wait()?;
    println!("it ended after {:.1} minutes, {status}", began.elapsed().as_secs_f64() / 60.0);
    if !status.success() || !was_away {
        return Ok(ExitCode::FAILURE);
    }
    is_exact(&database, arguments.rate * seconds)
}

/// As somebody else's transaction locks it.
fn lock(database: &Path) -> Result<Connection> {
    let connection = Connection::open(database)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(connection)
}

fn tell(run: &Child, minute: f64) -> Result<()> {
    // It may have ended just now.
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", run.id()));
    let (Ok(status), Ok(times)) = (read("status"), read("stat")) else { return Ok(()) };
    let mib = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
    };
    let (Some(now), Some(most)) = (mib("VmRSS:"), mib("VmHWM:")) else { return Ok(()) };
    let after_name = times.rsplit(')').next().context("a process has a name")?;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse().unwrap_or(0));
    // Of which a second has a hundred on every Linux.
    let cpu = ticks.sum::<u64>() as f64 / 100.0;
    println!("{minute:>6.1} {now:>7} MiB {most:>8} MiB {cpu:>12.2}");
    Ok(())
}

/// Computed anew, without the engine.
fn is_exact(database: &Path, readings: u64) -> Result<ExitCode> {
    let (mut counts, mut totals) = (vec![0; SENSORS as usize], vec![0; SENSORS as usize]);
    for number in 0..readings {
        counts[(number % SENSORS) as usize] += 1_i64;
        totals[(number % SENSORS) as usize] += (number % 1000) as i64;
    }
    let connection = Connection::open(database)?;
    let mut rows = connection.prepare("SELECT sensor, readings, total FROM sensors")?;
    let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        let (sensor, count, total): (i64, i64, i64) = row?;
        let (counted, summed) = (&mut counts[sensor as usize], &mut totals[sensor as usize]);
        if (count, total) != (*counted, *summed) {
            bail!("sensor {sensor} shows {count} readings and {total}, not {counted} and {summed}");
        }
        (*counted, *summed) = (0, 0);
    }
    if counts.iter().any(|left| *left != 0) {
        bail!("a sensor is missing");
    }
    println!("{readings} readings, and every sensor is exact");
    Ok(ExitCode::SUCCESS)
}
