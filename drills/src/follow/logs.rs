//! The logs as their writer knows them: which there are, what they are called, which payments they hold.
//!
//! It does what it is told at once, one call to the system at a time; it knows nothing of the job.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::form::Naming;
use super::payment::Payments;

/// See the module.
pub(super) struct Logs {
    folder: PathBuf,
    pub(super) naming: Naming,
    payments: Payments,
    /// Which log each payment is in, by its number.
    owners: Vec<usize>,
    logs: Vec<Log>,
    /// The one that is written to.
    current: usize,
    /// What is missing of the line that is being written.
    half: Vec<u8>,
    /// Those that were rotated and are still there, the newest first.
    rotated: Vec<usize>,
    days: u32,
    /// Where deleted logs go, if nothing is to get their inodes.
    deleted: Option<PathBuf>,
}

/// One log, through all its names and copies.
pub(super) struct Log {
    /// None before its first line, and once it is deleted.
    pub(super) name: Option<String>,
    /// How much it holds, not compressed.
    pub(super) bytes: u64,
    /// Its first payment.
    pub(super) first: Option<u64>,
    pub(super) is_compressed: bool,
    /// Its time was set back.
    pub(super) is_old: bool,
}

/// Where the log is that is written to.
pub(super) const LIVE: &str = "app.jsonl";
/// What folder and log are called while they are not there; the job does not ask for them.
const ELSEWHERE: &str = "elsewhere";

impl Logs {
    /// In a folder that is not there yet. Whether the inode of a deleted log may be that of another soon, is
    /// up to `reuses_inodes`.
    pub(super) fn new(
        folder: PathBuf,
        naming: Naming,
        payments: Payments,
        reuses_inodes: bool,
    ) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let deleted = (!reuses_inodes).then(|| folder.with_file_name("deleted"));
        deleted.iter().try_for_each(fs::create_dir)?;
        let mut logs = Logs {
            folder,
            naming,
            payments,
            owners: Vec::new(),
            logs: Vec::new(),
            current: 0,
            half: Vec::new(),
            rotated: Vec::new(),
            days: 0,
            deleted,
        };
        logs.begin();
        Ok(logs)
    }

    fn begin(&mut self) {
        let (name, bytes, first) = (Some(LIVE.to_string()), 0, None);
        self.logs.push(Log { name, bytes, first, is_compressed: false, is_old: false });
        self.current = self.logs.len() - 1;
    }

    /// How many payments were written, the one whose line has no end yet included.
    pub(super) fn written(&self) -> u64 {
        self.owners.len() as u64
    }

    /// Which log a payment is in.
    pub(super) fn owner(&self, payment: u64) -> Option<usize> {
        self.owners.get(usize::try_from(payment).ok()?).copied()
    }

    /// How many there have been.
    pub(super) fn count(&self) -> usize {
        self.logs.len()
    }

    pub(super) fn log(&self, log: usize) -> &Log {
        &self.logs[log]
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Those that were rotated and are still there, the newest first; whether one that is still written to
    /// is among them.
    pub(super) fn rotated(&self) -> &[usize] {
        &self.rotated
    }

    /// The same without one that is still written to.
    pub(super) fn closed(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.rotated.iter().copied().filter(|log| *log != self.current)
    }

    /// The day after the last.
    pub(super) fn next_day(&mut self) -> u32 {
        self.days += 1;
        self.days
    }

    /// Where a log is.
    pub(super) fn path_of(&self, log: usize) -> io::Result<PathBuf> {
        let name = self.logs[log].name.as_ref();
        let name = name.ok_or_else(|| io::Error::other(format!("log {log} is not there")))?;
        Ok(self.folder.join(name))
    }

    /// A path that nobody asks for, on the same disk.
    fn elsewhere(&self) -> PathBuf {
        self.folder.with_file_name(ELSEWHERE)
    }

    fn next_line(&mut self, log: usize) -> Vec<u8> {
        let number = self.written();
        self.owners.push(log);
        self.logs[log].first.get_or_insert(number);
        self.payments.line(number).into_bytes()
    }

    /// Appends the rest of a half line and more lines, of which the last is cut off by `cut` of a thousand, or
    /// is whole.
    pub(super) fn write(&mut self, lines: usize, cut: Option<usize>) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.half);
        for left in (0..lines).rev() {
            let line = self.next_line(self.current);
            let whole = match cut {
                Some(cut) if left == 0 => (line.len() - 1) * cut.min(999) / 1000 + 1,
                _ => line.len(),
            };
            bytes.extend(&line[..whole]);
            self.half = line[whole..].to_vec();
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let path = self.path_of(self.current)?;
        File::options().append(true).create(true).open(path)?.write_all(&bytes)?;
        self.logs[self.current].bytes += bytes.len() as u64;
        Ok(())
    }

    /// Ends the line that is being written.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.write(0, None)
    }

    pub(super) fn rename(&mut self, log: usize, to: &str) -> io::Result<()> {
        fs::rename(self.path_of(log)?, self.folder.join(to))?;
        self.logs[log].name = Some(to.to_string());
        if !self.rotated.contains(&log) {
            self.rotated.insert(0, log);
        }
        Ok(())
    }

    /// What is written from now on goes to a new log.
    pub(super) fn reopen(&mut self, at_once: bool) -> io::Result<()> {
        self.end_line()?;
        self.begin();
        if at_once {
            File::create(self.path_of(self.current)?)?;
        }
        Ok(())
    }

    /// Copies a part of the current log. What comes first is moved in where it must not be seen as empty.
    pub(super) fn copy(&self, to: &str, part: Range<u64>, is_moved: bool) -> io::Result<()> {
        let mut bytes = vec![0; (part.end - part.start) as usize];
        let mut file = File::open(self.path_of(self.current)?)?;
        file.seek(SeekFrom::Start(part.start))?;
        file.read_exact(&mut bytes)?;
        let to = self.folder.join(to);
        if is_moved {
            fs::write(self.elsewhere(), bytes)?;
            return fs::rename(self.elsewhere(), to);
        }
        File::options().append(true).create(true).open(to)?.write_all(&bytes)
    }

    /// Empties the current log, of which there is a copy: that goes on for it.
    pub(super) fn truncate(&mut self, copy: &str) -> io::Result<()> {
        File::options().write(true).truncate(true).open(self.path_of(self.current)?)?;
        self.logs[self.current].name = Some(copy.to_string());
        self.rotated.insert(0, self.current);
        self.begin();
        Ok(())
    }

    /// The name that a log has when it is compressed.
    fn compressed(&self, log: usize) -> io::Result<PathBuf> {
        let mut path = self.path_of(log)?.into_os_string();
        path.push(".gz");
        Ok(path.into())
    }

    /// Writes the first half of the compressed log, or the rest with the time of the log.
    pub(super) fn compress(&self, log: usize, is_rest: bool) -> io::Result<()> {
        let path = self.path_of(log)?;
        let bytes = gzip(&fs::read(&path)?)?;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let mut file = File::options().append(true).create(true).open(self.compressed(log)?)?;
        file.write_all(if is_rest { rest } else { first })?;
        if is_rest { file.set_modified(fs::metadata(path)?.modified()?) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let Some(deleted) = &self.deleted else { return fs::remove_file(path) };
        let number = fs::metadata(path)?.ino();
        fs::rename(path, deleted.join(number.to_string()))
    }

    /// Deletes a log that was compressed.
    pub(super) fn delete_compressed(&mut self, log: usize) -> io::Result<()> {
        let (path, compressed) = (self.path_of(log)?, self.compressed(log)?);
        self.remove(&path)?;
        let name = compressed.file_name().map(|name| name.to_string_lossy().into_owned());
        self.logs[log].name = name;
        self.logs[log].is_compressed = true;
        Ok(())
    }

    /// Appends lines to a compressed log.
    pub(super) fn add_member(&mut self, log: usize, lines: usize) -> io::Result<()> {
        let lines: Vec<u8> = (0..lines).flat_map(|_| self.next_line(log)).collect();
        self.logs[log].bytes += lines.len() as u64;
        File::options().append(true).open(self.path_of(log)?)?.write_all(&gzip(&lines)?)
    }

    /// Sets the time of a log back by an hour.
    pub(super) fn age(&mut self, log: usize) -> io::Result<()> {
        let file = File::options().append(true).open(self.path_of(log)?)?;
        let hour = Duration::from_secs(60 * 60);
        self.logs[log].is_old = true;
        file.set_modified(SystemTime::now() - hour)
    }

    pub(super) fn delete(&mut self, log: usize) -> io::Result<()> {
        self.remove(&self.path_of(log)?)?;
        self.logs[log].name = None;
        self.rotated.retain(|other| *other != log);
        Ok(())
    }

    /// Device and inode.
    pub(super) fn id(&self, log: usize) -> io::Result<(u64, u64)> {
        let status = fs::metadata(self.path_of(log)?)?;
        Ok((status.dev(), status.ino()))
    }

    /// Writes the current log again, under another name, and gives it its own.
    pub(super) fn replace(&self) -> io::Result<()> {
        let path = self.path_of(self.current)?;
        fs::copy(&path, self.elsewhere())?;
        fs::rename(self.elsewhere(), path)
    }

    pub(super) fn folder_leaves(&self) -> io::Result<()> {
        fs::rename(&self.folder, self.elsewhere())
    }

    pub(super) fn folder_returns(&self) -> io::Result<()> {
        fs::rename(self.elsewhere(), &self.folder)
    }

    /// The names in the folder, with their lengths.
    pub(super) fn listing(folder: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let entry = |entry: fs::DirEntry| {
            let length = entry.metadata().map_or(0, |status| status.len());
            format!("{} ({length} bytes)", entry.file_name().to_string_lossy())
        };
        let mut entries: Vec<_> = entries.flatten().map(entry).collect();
        entries.sort();
        entries
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
