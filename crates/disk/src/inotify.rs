//! Being told of changes by Linux: a thread that waits for what inotify says.
//!
//! The thread belongs to the [`Inotify`] that it was started for: dropping that ends it, and waits until it has
//! ended. It knows nothing of who wants to be told.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{
    CreateFlags, Event, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::fs::statfs;
use rustix::io::Errno;
use steadfast_core::disk::{Change, OnChange, Watch};

/// See the module.
pub(crate) struct Inotify {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shares with its owner.
struct Shared {
    inotify: OwnedFd,
    /// Whatever is written here ends the thread.
    stop: OwnedFd,
    /// Held while folders are added, so that what is told of one finds it here.
    folders: Mutex<BTreeMap<i32, PathBuf>>,
}

/// So many bytes of events are read at once: some hundreds.
const BUFFER_BYTES: usize = 16 * 1024;

/// After having told something the thread rests for so long: a log that is written line by line wakes its reader
/// some hundred times a second, and not with every line.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

const WATCHED: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// File systems of which the kernel does not see all changes, by what `statfs` says: 9P, AFS, Ceph, CIFS, Coda,
/// FUSE, GFS2, GPFS, Lustre, NCP, NFS, OCFS2, SMB, SMB2, and those of virtual machines (`vboxsf`).
const TOLD_IN_PART: [u32; 15] = [
    0x0102_1997,
    0x5346_414f,
    0x00c3_6400,
    0xff53_4d42,
    0x7375_7245,
    0x6573_5546,
    0x0116_1970,
    0x4750_4653,
    0x0bd0_0bd0,
    0x0000_564c,
    0x0000_6969,
    0x7461_636f,
    0x0000_517b,
    0xfe53_4d42,
    0x786f_4256,
];

/// Whether the kernel tells of all changes in a folder.
fn is_told(folder: &Path) -> io::Result<bool> {
    Ok(!TOLD_IN_PART.contains(&(statfs(folder)?.f_type as u32)))
}

impl Inotify {
    /// Tells `on_change`, on a thread of its own.
    pub(crate) fn new(on_change: OnChange) -> io::Result<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { inotify, stop, folders: Mutex::default() });
        let of_thread = Arc::clone(&shared);
        let run = move || of_thread.run(&on_change);
        let thread = std::thread::Builder::new().name("folder-watch".to_string()).spawn(run)?;
        Ok(Inotify { shared, thread: Some(thread) })
    }
}

impl Watch for Inotify {
    fn set(&mut self, folders: &BTreeSet<PathBuf>) -> io::Result<BTreeSet<PathBuf>> {
        let (mut told, mut by_number) = (BTreeSet::new(), BTreeMap::new());
        let mut before = self.shared.folders();
        for folder in folders {
            if !is_told(folder).unwrap_or(false) {
                continue;
            }
            // One that is gone, may not be read, or is one too many is not told of.
            let Ok(number) = add_watch(&self.shared.inotify, folder, WATCHED) else { continue };
            // One folder has one number, by whatever names: it is told of under the first.
            if let Entry::Vacant(place) = by_number.entry(number) {
                place.insert(folder.clone());
                told.insert(folder.clone());
            }
        }
        for number in before.keys().filter(|number| !by_number.contains_key(number)) {
            // It is gone already if its folder is.
            let _ = remove_watch(&self.shared.inotify, *number);
        }
        *before = by_number;
        Ok(told)
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        // The counter of an eventfd that is read by nobody has room for this.
        let _ = rustix::io::write(&self.shared.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // It panics only if whoever is told does.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn folders(&self) -> MutexGuard<'_, BTreeMap<i32, PathBuf>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what comes, until it is to stop.
    fn run(&self, on_change: &OnChange) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        loop {
            let mut both =
                [PollFd::new(&self.stop, PollFlags::IN), PollFd::new(&self.inotify, PollFlags::IN)];
            match poll(&mut both, None) {
                Err(Errno::INTR) => continue,
                // Nobody is told any more: those who wait look now and then.
                Err(_) => return on_change(Change::Unknown),
                Ok(_) if !both[0].revents().is_empty() => return,
                Ok(_) => {}
            }
            if self.tell(&mut buffer, on_change).is_err() {
                return on_change(Change::Unknown);
            }
            let mut stop = [PollFd::new(&self.stop, PollFlags::IN)];
            if let Ok(1..) = poll(&mut stop, Some(&REST)) {
                return;
            }
        }
    }

    /// Tells what is there, as far as it fits into the buffer.
    fn tell(&self, buffer: &mut [MaybeUninit<u8>], on_change: &OnChange) -> io::Result<()> {
        let mut reader = Reader::new(&self.inotify, buffer);
        let mut written = BTreeSet::new();
        loop {
            match reader.next() {
                Ok(event) => self.tell_of(&event, &mut written, on_change),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            if reader.is_buffer_empty() {
                break;
            }
        }
        // After the names: by then it is known that one may be that of another file.
        written.iter().for_each(|path| on_change(Change::Contents(path)));
        Ok(())
    }

    fn tell_of(&self, event: &Event<'_>, written: &mut BTreeSet<PathBuf>, on_change: &OnChange) {
        let folder = self.folders().get(&event.wd()).cloned();
        let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
        match (folder, name) {
            // What is still told of a folder that nobody wants to be told of any more.
            (None, _) if !event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {}
            (Some(folder), Some(name)) if !event.events().contains(ReadFlags::ISDIR) => {
                let path = folder.join(name);
                if event.events().contains(ReadFlags::MODIFY) {
                    written.insert(path);
                } else {
                    on_change(Change::Name(&path));
                }
            }
            _ => on_change(Change::Unknown),
        }
    }
}

#[cfg(test)]
mod tests;
