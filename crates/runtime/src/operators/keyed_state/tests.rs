//! State against plain collections, over checkpoints and other numbers of tasks.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use steadfast_core::state::StateLimits;
use steadfast_core::time::Timestamp;

use super::*;

type Files = Vec<(String, Vec<u8>)>;

/// A process of two keys' worth of every kind of state, as some tasks.
struct Tasks {
    states: Vec<KeyedStates<u64>>,
    value: ValueState<u64>,
    list: ListState<u64>,
    map: MapState<u64, u64>,
    files: Files,
}

const SPACE: KeySpace = KeySpace { groups: 8, tasks: 1 };

fn declaring(states: &mut KeyedStates<u64>, expiring: bool) -> Declaring<'_, u64> {
    match expiring {
        true => states.expiring(Duration::from_millis(50), Clock::Event),
        false => states.for_good(),
    }
}

/// States that count for fifty milliseconds, or for good.
fn tasks(count: u16, expiring: bool, files: Files) -> Tasks {
    let space = KeySpace { tasks: count, ..SPACE };
    let declare = |task| {
        let mut states = KeyedStates::<u64>::new("p", space, task);
        let handles = (
            declaring(&mut states, expiring).value("value"),
            declaring(&mut states, expiring).list("list"),
            declaring(&mut states, expiring).map("map"),
        );
        states.tables(&mut |table| {
            let name = table.name().to_string();
            let own = files.iter().filter(|(of, _)| *of == name);
            own.for_each(|(_, file)| table.load(file).unwrap());
        });
        states.open();
        (states, handles)
    };
    let (states, handles): (Vec<_>, Vec<_>) = (0..count).map(declare).unzip();
    let (value, list, map) = handles[0];
    Tasks { states, value, list, map, files }
}

impl Tasks {
    /// Writes what has changed; how many entries those are.
    fn checkpoint(&mut self) -> u64 {
        let (mut entries, files) = (0, &mut self.files);
        for states in &mut self.states {
            states.tables(&mut |table| {
                let name = table.name().to_string();
                let Some(frozen) = table.freeze(&StateLimits::default()) else { return };
                let mut keep = |file: steadfast_core::state::EncodedState<'_>| {
                    entries += file.entries;
                    files.push((name.clone(), file.bytes.to_vec()));
                    Ok(())
                };
                frozen.encode(&StateLimits::default(), &mut Vec::new(), &mut keep).unwrap();
            });
        }
        entries
    }

    fn at<R>(
        &mut self,
        key: u64,
        (at, watermark): (i64, i64),
        work: impl FnOnce(&mut KeyedContext<'_, u64>) -> R,
    ) -> R {
        let hash = KeyHash::of(&key);
        let space = KeySpace { tasks: self.states.len() as u16, ..SPACE };
        let task = usize::from(space.task_of(space.group_of(hash)));
        let moment = Moment { watermark: Timestamp(watermark), now: Timestamp(0) };
        let states = &mut self.states[task];
        let result = work(&mut KeyedContext::new(
            states,
            Of::at((hash, &key), Timestamp(at), moment),
            Timestamp(at),
            moment,
        ));
        states.sweep(moment, 1);
        result
    }
}

/// The same in plain collections; each entry with the time at which it was written.
#[derive(Default)]
struct Plain {
    value: Option<(u64, i64)>,
    list: VecDeque<(u64, i64)>,
    map: BTreeMap<u64, (u64, i64)>,
}

fn compare(seed: u64, expiring: bool) {
    let mut random = Rng::with_seed(seed);
    let mut subject = tasks(random.u16(1..=3), expiring, Vec::new());
    let mut plain: BTreeMap<u64, Plain> = BTreeMap::new();
    let (value, list, map) = (subject.value, subject.list, subject.map);
    let mut watermark = 0;
    for step in 0..300 {
        // Some come late: they count from when they have come.
        watermark += random.i64(0..4);
        let at = watermark + random.i64(-10..30);
        let key = random.u64(0..5);
        let of = plain.entry(key).or_default();
        let now = at.max(watermark);
        let counts = |(_, written): &(u64, i64)| !expiring || now - written <= 50;
        let member = random.u64(0..6);
        let what = random.u32(0..11);
        subject.at(key, (at, watermark), |context| match what {
            0 => {
                context.set(value, step);
                let written = of.value.map_or(now, |(_, before)| now.max(before));
                of.value = Some((step, written));
            }
            1 => {
                *context.value(value) += 1;
                let before = of.value.filter(counts);
                let written = of.value.map_or(now, |(_, before)| now.max(before));
                of.value = Some((before.map_or(0, |(value, _)| value) + 1, written));
            }
            2 => {
                context.clear(value);
                of.value = None;
            }
            3 | 4 => {
                context.list(list).push(step);
                of.list.push_back((step, now));
            }
            5 => {
                let first = of.list.iter().position(counts);
                let first = first.and_then(|first| of.list.remove(first));
                assert_eq!(context.list(list).pop_first(), first.map(|(value, _)| value));
            }
            6 => {
                context.list(list).retain(|value| value % 3 != 0);
                of.list.retain(|entry| !counts(entry) || entry.0 % 3 != 0);
            }
            7 => {
                let before = context.map(map).insert(member, step);
                let known = of.map.get(&member).copied();
                assert_eq!(before, known.filter(counts).map(|(value, _)| value));
                let written = known.map_or(now, |(_, before)| now.max(before));
                of.map.insert(member, (step, written));
            }
            8 => {
                let (mut entries, number) = context.both(map, value);
                *entries.value(&member) += 2;
                *number += 2;
                let known = of.map.get(&member).copied();
                let written = known.map_or(now, |(_, before)| now.max(before));
                let before = known.filter(counts).map_or(0, |(value, _)| value);
                of.map.insert(member, (before + 2, written));
                let before = of.value.filter(counts).map_or(0, |(value, _)| value);
                let written = of.value.map_or(now, |(_, before)| now.max(before));
                of.value = Some((before + 2, written));
            }
            9 => {
                let removed = context.map(map).remove(&member);
                let known = of.map.remove(&member);
                assert_eq!(removed, known.filter(counts).map(|(value, _)| value));
            }
            _ if member == 0 => {
                context.map(map).clear();
                context.list(list).clear();
                of.map.clear();
                of.list.clear();
            }
            _ => {}
        });
        subject.at(key, (at, watermark), |context| {
            let expected = of.value.filter(counts).map(|(value, _)| value);
            assert_eq!(context.get(value).copied(), expected, "value, seed {seed}, step {step}");
            let seen: Vec<u64> = context.list(list).iter().copied().collect();
            let expected = of.list.iter().copied().filter(counts).map(|(value, _)| value);
            assert_eq!(seen, expected.collect::<Vec<_>>(), "list, seed {seed}, step {step}");
            assert_eq!(context.list(list).len(), seen.len());
            let entries = context.map(map);
            let seen: Vec<(u64, u64)> = entries.iter().map(|(m, v)| (*m, *v)).collect();
            let counting = of.map.iter().filter(|(_, entry)| counts(entry));
            let expected: Vec<_> = counting.map(|(m, (value, _))| (*m, *value)).collect();
            assert_eq!(seen, expected, "map, seed {seed}, step {step}");
            assert_eq!((entries.len(), entries.is_empty()), (seen.len(), seen.is_empty()));
            assert_eq!(
                entries.range(2..4).count(),
                seen.iter().filter(|e| (2..4).contains(&e.0)).count()
            );
        });
        if random.u32(0..20) == 0 {
            subject.checkpoint();
            let files = std::mem::take(&mut subject.files);
            subject = tasks(random.u16(1..=3), expiring, files);
        }
    }
}

#[test]
fn states_are_what_plain_collections_would_be_at_any_number_of_tasks() {
    (0..60).for_each(|seed| compare(seed, false));
}

#[test]
fn states_that_expire_show_each_record_what_its_own_time_tells() {
    (0..60).for_each(|seed| compare(seed, true));
}

#[test]
fn a_checkpoint_holds_the_entries_that_have_changed_and_no_others() {
    let mut subject = tasks(1, false, Vec::new());
    let (list, map) = (subject.list, subject.map);
    subject.at(1, (0, 0), |context| {
        for number in 0..10_000 {
            context.map(map).insert(number, number);
            context.list(list).push(number);
        }
    });
    assert_eq!(subject.checkpoint(), 20_000);
    subject.at(1, (0, 0), |context| {
        *context.map(map).value(&77) += 1;
        context.list(list).push(1);
        context.map(map).remove(&78);
        let (entries, values) = (context.map(map).len(), context.list(list).len());
        assert_eq!((entries, values), (9_999, 10_001));
    });
    assert_eq!(subject.checkpoint(), 3);
}

#[test]
fn what_nobody_can_see_any_more_is_removed() {
    let mut subject = tasks(1, true, Vec::new());
    let (value, list, map) = (subject.value, subject.list, subject.map);
    let entries = |subject: &mut Tasks| {
        let mut entries = 0;
        subject.states[0].tables(&mut |table| entries += table.len());
        entries
    };
    for at in 0..2_000 {
        subject.at(at as u64, (at, at), |context| {
            context.set(value, 1);
            context.list(list).push(1);
            context.map(map).insert(at as u64, 1);
        });
        // As a batch of that many records would.
        let moment = Moment { watermark: Timestamp(at), now: Timestamp(0) };
        subject.states[0].sweep(moment, 10);
    }
    // Three kinds of state and their times, for some fifty keys.
    assert!(entries(&mut subject) < 6 * 100, "{}", entries(&mut subject));
}

/// Row 5 of a new user's findings: what was kept before never expired.
#[test]
fn what_was_kept_before_it_had_a_time_to_live_gets_one() {
    let mut before = tasks(1, false, Vec::new());
    let (value, map) = (before.value, before.map);
    before.at(1, (1_000, 1_000), |context| {
        context.set(value, 1);
        context.map(map).insert(1, 1);
    });
    before.checkpoint();
    let mut subject = tasks(2, true, before.files);
    // From then on they count for fifty.
    subject.at(1, (2_000, 2_000), |context| assert_eq!(context.get(value), Some(&1)));
    subject.at(1, (2_050, 2_050), |context| assert!(context.map(map).contains(&1)));
    subject.at(1, (2_051, 2_051), |context| {
        assert_eq!((context.get(value).copied(), context.map(map).len()), (None, 0));
    });
}
