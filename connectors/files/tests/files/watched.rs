//! Files that are followed where the system tells of changes, and where it does not.

use std::fs;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use steadfast_core::source::{
    NextLook, PollLimit, Polled, Resumed, Source, SplitDiscovery, SplitReader,
};
use steadfast_core::time::Timestamp;
use steadfast_files::{FileSplit, JsonLines, LineReader};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::silent_disk::SilentDisk;
use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Who waits for the system to tell something.
struct Bell(Mutex<Sender<()>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().send(());
    }
}

fn bell() -> (Waker, Receiver<()>) {
    let (ring, rung) = channel();
    (Waker::from(Arc::new(Bell(Mutex::new(ring)))), rung)
}

/// Whether it rings before long.
fn rings(rung: &Receiver<()>) -> bool {
    rung.recv_timeout(Duration::from_secs(10)).is_ok()
}

/// A look at everything comes after an hour, unless something is told.
fn followed(folder: &Folder) -> JsonLines<u64> {
    let source = JsonLines::new([folder.path("app.log*")]).follow().scan_every(HOUR);
    source.finished_after(2 * HOUR)
}

/// One file that is read, and who is woken when.
struct Scene {
    folder: Folder,
    source: JsonLines<u64>,
    discovery: Box<dyn SplitDiscovery<FileSplit>>,
    looks: Receiver<()>,
    reader: LineReader<steadfast_formats::Json<u64>>,
    reads: Receiver<()>,
    seen: Seen<u64>,
}

impl Scene {
    fn new(make: impl Fn(&Folder) -> JsonLines<u64>) -> Self {
        let folder = Folder::new();
        fs::write(folder.path("app.log"), "1\n").unwrap();
        let source = make(&folder);
        source.plan(Resumed::default(), 1).unwrap();
        let (waker, looks) = bell();
        let mut discovery = source.discovery(&waker).unwrap().unwrap();
        let mut found = discovery.poll(NOW).unwrap().splits;
        let (waker, reads) = bell();
        let reader = source.open(found.pop().unwrap(), &waker).unwrap();
        Scene { folder, source, discovery, looks, reader, reads, seen: Seen::new() }
    }

    /// Reads what is there. Returns for how long nothing more is expected.
    fn read(&mut self) -> Duration {
        match self.reader.poll(PollLimit::records(100), NOW, &mut self.seen).unwrap() {
            Polled::Idle(Some(until)) => Duration::from_millis(until.0 as u64),
            other => panic!("{other:?}"),
        }
    }

    /// Looks and reads until the reader relies on being told: what was told late may need another look.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let found = self.discovery.poll(Timestamp(NOW.0)).unwrap();
            assert_eq!(found.splits, []);
            if self.read() == HOUR {
                return;
            }
            let _ = self.reads.recv_timeout(Duration::from_millis(10));
        }
        panic!("nobody tells it");
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.folder.path(name), text.as_bytes());
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks whenever it is asked to.
fn eagerly(folder: &Folder) -> JsonLines<u64> {
    followed(folder).look_every(Duration::ZERO)
}

#[cfg(target_os = "linux")]
mod told {
    use super::*;

    #[test]
    fn what_is_appended_wakes_its_reader_and_nobody_else() {
        let mut scene = Scene::new(eagerly);
        // Between the first look and the first watch something may have come.
        let mut first = scene.source.discovery(Waker::noop()).unwrap().unwrap();
        assert_eq!(first.poll(NOW).unwrap().next, NextLook::At(NOW));
        drop(first);
        let again = scene.discovery.poll(NOW).unwrap();
        assert_eq!(again.next, NextLook::At(Timestamp(3_600_000)));
        scene.settle();
        while scene.looks.try_recv().is_ok() {}
        scene.append("app.log", "2\n");
        assert!(rings(&scene.reads));
        assert_eq!(scene.read(), HOUR);
        assert_eq!(scene.seen.records, [1, 2]);
        assert!(scene.looks.try_recv().is_err());
        fs::File::options().write(true).truncate(true).open(scene.folder.path("app.log")).unwrap();
        assert!(rings(&scene.reads));
    }

    #[test]
    fn a_new_file_and_a_finished_one_that_grows_wake_whoever_looks_and_others_do_not() {
        let mut scene = Scene::new(eagerly);
        scene.settle();
        fs::write(scene.folder.path("other.log"), "3\n").unwrap();
        fs::write(scene.folder.path("app.log.new"), "7\n").unwrap();
        assert!(rings(&scene.looks));
        let found = scene.discovery.poll(NOW).unwrap().splits;
        assert_eq!(found.len(), 1);
        // The new one is read to its end and closed.
        let (waker, _reads) = bell();
        let mut reader = scene.source.open(found[0].clone(), &waker).unwrap();
        let late = Timestamp(i64::MAX / 2);
        reader.poll(PollLimit::records(9), NOW, &mut scene.seen).unwrap();
        let ended = reader.poll(PollLimit::records(9), late, &mut scene.seen).unwrap();
        assert_eq!((ended, &scene.seen.records[..]), (Polled::End, &[1, 7][..]));
        scene.settle();
        while scene.looks.try_recv().is_ok() {}
        scene.append("app.log.new", "8\n");
        assert!(rings(&scene.looks));
        let found = scene.discovery.poll(NOW).unwrap().splits;
        assert_eq!(found.iter().map(|split| split.next).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn what_changes_without_pause_is_looked_at_once_in_a_while() {
        let mut scene = Scene::new(followed);
        // Of what nothing was read, what comes might be a copy.
        scene.settle();
        scene.discovery.poll(NOW).unwrap();
        fs::write(scene.folder.path("app.log.new"), "7\n").unwrap();
        assert!(rings(&scene.looks));
        let early = scene.discovery.poll(NOW).unwrap();
        assert_eq!((early.splits.len(), early.next), (0, NextLook::At(Timestamp(1000))));
        assert_eq!(scene.discovery.poll(Timestamp(1000)).unwrap().splits.len(), 1);
        // Long after the last look it is looked at once.
        fs::write(scene.folder.path("app.log.newer"), "8\n").unwrap();
        assert!(rings(&scene.looks));
        assert_eq!(scene.discovery.poll(Timestamp(9000)).unwrap().splits.len(), 1);
    }

    #[test]
    fn a_reader_whose_file_is_renamed_looks_for_itself_until_it_was_looked_where_it_is() {
        let mut scene = Scene::new(eagerly);
        scene.settle();
        fs::rename(scene.folder.path("app.log"), scene.folder.path("app.log.1")).unwrap();
        assert!(rings(&scene.reads));
        assert_eq!(scene.read(), LOOK_AGAIN);
        scene.settle();
        while scene.reads.try_recv().is_ok() {}
        scene.append("app.log.1", "2\n");
        assert!(rings(&scene.reads));
        scene.read();
        assert_eq!(scene.seen.records, [1, 2]);
    }

    #[test]
    fn a_reader_whose_file_is_moved_to_where_nobody_tells_looks_for_itself() {
        let mut scene = Scene::new(eagerly);
        scene.settle();
        let elsewhere = Folder::new();
        fs::rename(scene.folder.path("app.log"), elsewhere.path("app.log")).unwrap();
        assert!(rings(&scene.reads));
        for _ in 0..3 {
            scene.discovery.poll(NOW).unwrap();
            assert_eq!(scene.read(), LOOK_AGAIN);
        }
        append(&elsewhere.path("app.log"), b"2\n");
        scene.read();
        assert_eq!(scene.seen.records, [1, 2]);
    }

    #[test]
    fn where_nobody_looks_any_more_nobody_relies_on_being_told() {
        let mut scene = Scene::new(eagerly);
        scene.settle();
        let Scene { discovery, mut reader, mut seen, .. } = scene;
        drop(discovery);
        let polled = reader.poll(PollLimit::records(9), NOW, &mut seen).unwrap();
        assert_eq!(polled, Polled::Idle(Some(Timestamp(50))));
    }
}

#[test]
fn where_nobody_tells_files_are_looked_at_all_the_time() {
    let mut scene = Scene::new(|folder| followed(folder).on_disk(Arc::new(SilentDisk::default())));
    for _ in 0..3 {
        let found = scene.discovery.poll(NOW).unwrap();
        assert_eq!(found.next, NextLook::At(Timestamp(1000)));
        assert_eq!(scene.read(), LOOK_AGAIN);
    }
    scene.append("app.log", "2\n");
    fs::write(scene.folder.path("app.log.new"), "7\n").unwrap();
    // Nobody is kept from looking earlier.
    assert_eq!(scene.discovery.poll(NOW).unwrap().splits.len(), 1);
    scene.read();
    assert_eq!(scene.seen.records, [1, 2]);
}

/// A folder that a pattern speaks of and that is not there cannot be watched: it is looked for.
#[test]
fn a_folder_that_is_not_there_yet_is_looked_for() {
    let folder = Folder::new();
    let source = JsonLines::<u64>::new([folder.path("logs/*.log")]).follow().scan_every(HOUR);
    source.plan(Resumed::default(), 1).unwrap();
    let mut discovery = source.discovery(Waker::noop()).unwrap().unwrap();
    let found = discovery.poll(NOW).unwrap();
    assert_eq!((found.splits.len(), found.next), (0, NextLook::At(Timestamp(1000))));
    fs::create_dir(folder.path("logs")).unwrap();
    fs::write(folder.path("logs/app.log"), "1\n").unwrap();
    assert_eq!(discovery.poll(Timestamp(1000)).unwrap().splits.len(), 1);
}

/// Counts the events of one name.
struct Hears(&'static str, Arc<Mutex<u32>>);

impl<S: Subscriber> Layer<S> for Hears {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        *self.1.lock().unwrap() += u32::from(event.metadata().name() == self.0);
    }
}

#[test]
fn a_copy_that_is_held_back_is_told_once() {
    // With one subscriber alone, what another thread tells first would count as wanted by nobody.
    let _another = Dispatch::new(Registry::default());
    let heard = Arc::<Mutex<u32>>::default();
    let hears = Hears("copy_held_back", Arc::clone(&heard));
    let _listening = Registry::default().with(hears).set_default();
    let mut scene = Scene::new(|folder| eagerly(folder).on_disk(Arc::new(SilentDisk::default())));
    scene.read();
    fs::copy(scene.folder.path("app.log"), scene.folder.path("app.log.1")).unwrap();
    for _ in 0..3 {
        assert_eq!(scene.discovery.poll(NOW).unwrap().splits, []);
        assert_eq!(*heard.lock().unwrap(), 1);
    }
}
