//! State of no key against plain collections, over checkpoints and other numbers of tasks.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use steadfast_core::state::{EncodedState, StateLimits};

use super::*;

const SPACE: KeySpace = KeySpace { groups: 8, tasks: 1 };

/// Files so small that a map is divided among several.
fn limits() -> StateLimits {
    StateLimits { file_bytes: 64, block_bytes: 32, ..StateLimits::default() }
}

struct Tasks {
    states: Vec<UnkeyedStates>,
    split: SplitState<u64>,
    map: BroadcastState<u64, u64>,
    files: Files,
}

/// The files of each table, in the order in which they were written, with the groups they speak of.
type Files = Vec<(String, steadfast_core::key::KeyGroups, Vec<u8>)>;

fn tasks(count: u16, files: Files) -> Tasks {
    let declare = |task| {
        let mut states = UnkeyedStates::new("p", KeySpace { tasks: count, ..SPACE }, task);
        let handles = (states.split("split"), states.broadcast("map"));
        states.tables(&mut |table| {
            let (name, groups) = (table.name().to_string(), table.owned_groups());
            let own =
                files.iter().filter(|(of, speaks_of, _)| *of == name && speaks_of.overlaps(groups));
            own.for_each(|(_, _, file)| table.load(file).unwrap());
        });
        states.open();
        (states, handles)
    };
    let (states, handles): (Vec<_>, Vec<_>) = (0..count).map(declare).unzip();
    let (split, map) = handles[0];
    Tasks { states, split, map, files }
}

impl Tasks {
    fn checkpoint(&mut self) {
        let files = &mut self.files;
        for states in &mut self.states {
            states.tables(&mut |table| {
                let name = table.name().to_string();
                let Some(frozen) = table.freeze(&limits()) else { return };
                let mut keep = |file: EncodedState<'_>| {
                    files.push((name.clone(), file.groups, file.bytes.to_vec()));
                    Ok(())
                };
                frozen.encode(&limits(), &mut Vec::new(), &mut keep).unwrap();
            });
        }
    }

    fn at<R>(&mut self, task: usize, work: impl FnOnce(&mut UnkeyedContext<'_>) -> R) -> R {
        let moment = Moment { watermark: Timestamp::MIN, now: Timestamp(0) };
        work(&mut UnkeyedContext::new(&mut self.states[task], Timestamp(0), moment))
    }

    fn values(&mut self, task: usize) -> Vec<u64> {
        let split = self.split;
        self.at(task, |context| context.split(split).iter().copied().collect())
    }
}

#[test]
fn each_value_stays_with_one_task_and_each_map_is_the_same() {
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let mut running = tasks(random.u16(1..=8), Files::new());
        let mut lists: Vec<Vec<u64>> = vec![Vec::new(); running.states.len()];
        let mut map: BTreeMap<u64, u64> = BTreeMap::new();
        let mut next = 0;
        for _ in 0..random.usize(1..6) {
            for _ in 0..random.usize(0..40) {
                let (task, split, rules) =
                    (random.usize(..lists.len()), running.split, running.map);
                match random.u8(..6) {
                    0..3 => {
                        lists[task].push(next);
                        running.at(task, |context| context.split(split).push(next));
                        next += 1;
                    }
                    3 => {
                        let first = (!lists[task].is_empty()).then(|| lists[task].remove(0));
                        let taken = running.at(task, |context| context.split(split).pop_first());
                        assert_eq!(taken, first);
                    }
                    4 => {
                        lists[task].retain(|value| value % 3 != 0);
                        running.at(task, |c| c.split(split).retain(|value| value % 3 != 0));
                    }
                    _ => {
                        let (key, value) = (random.u64(..20), random.u64(..));
                        let removes = random.u8(..3) == 0;
                        if removes {
                            map.remove(&key)
                        } else {
                            map.insert(key, value)
                        };
                        for task in 0..lists.len() {
                            let (len, is_there) = running.at(task, |context| {
                                let mut copy = context.broadcast(rules);
                                match removes {
                                    true => copy.remove(&key),
                                    false => copy.insert(key, value),
                                }
                                (copy.len(), copy.get(&key).is_some())
                            });
                            assert_eq!((len, is_there), (map.len(), !removes), "seed {seed}");
                        }
                    }
                }
            }
            running.checkpoint();
            let count = random.u16(1..=8);
            running = tasks(count, running.files);
            // What comes to which task is open; that each is there once, and in order, is not.
            let found: Vec<_> = (0..usize::from(count)).map(|task| running.values(task)).collect();
            let all: BTreeSet<u64> = found.iter().flatten().copied().collect();
            assert_eq!(all, lists.iter().flatten().copied().collect(), "seed {seed}");
            assert_eq!(found.iter().flatten().count(), all.len(), "seed {seed}");
            if usize::from(count) == lists.len() {
                assert_eq!(found, lists, "seed {seed}");
            }
            lists = found;
            for task in 0..lists.len() {
                let rules = running.map;
                let copy: BTreeMap<u64, u64> = running.at(task, |context| {
                    let copy = context.broadcast(rules);
                    assert_eq!(copy.len(), map.len());
                    copy.iter().map(|(key, value)| (*key, *value)).collect()
                });
                assert_eq!(copy, map, "seed {seed}, task {task}");
            }
        }
    }
}

#[test]
fn one_task_writes_a_map() {
    let mut running = tasks(4, Files::new());
    let rules = running.map;
    (0..4).for_each(|task| running.at(task, |context| context.broadcast(rules).insert(1, 1)));
    running.checkpoint();
    assert_eq!(running.files.len(), 1);
}

#[test]
fn values_are_divided_among_all_tasks_that_there_are_later() {
    let mut running = tasks(1, Files::new());
    let split = running.split;
    (0..80).for_each(|value| running.at(0, |context| context.split(split).push(value)));
    running.checkpoint();
    let mut running = tasks(8, running.files);
    assert!((0..8).all(|task| running.values(task).len() == 10));
}
