//! The store as simulated processes call it and the explorer's.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use steadfast_checkpoint::ObjectLog;
use steadfast_checkpoint::store::FileStore;
use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_protocol::names::LogLayout;
use steadfast_testkit::baton::{CallKind, Handle};
use steadfast_testkit::disk::DurableDisk;
use steadfast_testkit::environment::{BatonCourier, CourierStore};
use steadfast_testkit::invariants::kept::Kept;
use steadfast_testkit::observer::Observer;
use steadfast_testkit::store::CalledStore;

use crate::table::database;

/// A store on a simulated disk, with a handle for each process.
fn called() -> impl Fn() -> Box<dyn Store> {
    let (disk, observer, processes) =
        (DurableDisk::default(), Observer::default(), AtomicU16::new(0));
    move || {
        let (handle, process) = (Handle::undisturbed(), processes.fetch_add(1, Ordering::Relaxed));
        let mounted = Arc::new(disk.mount(handle.clone()));
        let store = FileStore::on_disk(mounted, "/store", format!("p{process}"));
        let nonce = u64::from(process);
        let (observer, database) = (observer.clone(), database());
        let kept = Kept { disk: disk.clone(), root: "/store", layout: LogLayout::default() };
        Box::new(CalledStore { store, handle, process, nonce, observer, database, kept })
    }
}

/// The explorer's store, of which so many names are listed at a time.
fn explored(page: usize) -> impl Fn() -> Box<dyn Store> {
    let environment = Arc::new(Mutex::default());
    move || {
        let (handle, environment) = (Handle::undisturbed(), Arc::clone(&environment));
        let courier = Arc::new(BatonCourier { handle, environment });
        Box::new(CourierStore { courier, page, kind_of_put: |_, _| CallKind::StorePutData })
    }
}

#[test]
fn the_store_of_the_simulation_is_a_store() {
    steadfast_conformance::store(called);
}

#[test]
fn the_store_of_the_explorer_is_a_store() {
    for page in [1, 7, 1000] {
        steadfast_conformance::store(|| explored(page));
    }
}

fn log(store: Box<dyn Store>, block: u64) -> Box<dyn CommitLog> {
    Box::new(ObjectLog::with_layout(Arc::from(store), LogLayout { block }))
}

#[test]
fn the_log_on_either_is_a_commit_log() {
    steadfast_conformance::commit_log(|| {
        let store = called();
        move || log(store(), 3)
    });
    for block in [1, 2] {
        steadfast_conformance::commit_log(|| {
            let store = explored(1000);
            move || log(store(), block)
        });
    }
}
