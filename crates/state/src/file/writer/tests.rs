//! How entries are divided into blocks, and which blocks are compressed.

use steadfast_core::key::KeyGroups;

use super::*;

/// What a block says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    group: u16,
    removes: u32,
    puts: u32,
    raw: u32,
    stored: u32,
}

fn header(kind: StateKind) -> Header {
    Header::new("t", kind, KeyGroups { first: 0, end: 9 }, 9)
}

/// The blocks of the file that `fill` writes, and how many entries are said to be in it.
fn written(block_bytes: usize, fill: impl FnOnce(&mut Writer<'_>)) -> (Vec<Block>, u64) {
    let (mut buffer, mut result) = (vec![1, 2, 3], None);
    let mut writer = Writer::new(&mut buffer, block_bytes);
    fill(&mut writer);
    let mut keep = |file: EncodedState<'_>| {
        result = Some((blocks(file.bytes), file.entries));
        Ok(())
    };
    writer.finish(&header(StateKind::Base), &mut keep).unwrap();
    result.unwrap()
}

fn blocks(file: &[u8]) -> Vec<Block> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut blocks) = (MAGIC.len() + 1, Vec::new());
    for _ in 0..number(file.len() - 8) {
        let group = u16::from_le_bytes([file[at], file[at + 1]]);
        let (removes, puts) = (number(at + 2), number(at + 6));
        let (raw, stored) = (number(at + 10), number(at + 14));
        blocks.push(Block { group, removes, puts, raw, stored });
        at += 18 + stored as usize + 4;
    }
    blocks
}

/// Bytes that no compression makes smaller, another run of them for each seed.
fn noise(seed: u64, length: usize) -> String {
    let mut word = seed.wrapping_mul(2) + 1;
    let mut next = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from((word >> 57) as u8)
    };
    (0..length).map(|_| next()).collect()
}

fn put(writer: &mut Writer<'_>, group: u16, value: &str) {
    writer.put(KeyGroup(group), &0, &value).unwrap();
}

#[test]
fn a_block_ends_with_its_group_and_when_it_is_full() {
    let (blocks, entries) = written(20, |writer| {
        writer.remove(KeyGroup(2), &1).unwrap();
        writer.remove(KeyGroup(2), &2).unwrap();
        put(writer, 2, "a");
        put(writer, 3, "a value of twenty bytes");
        put(writer, 3, "b");
        put(writer, 3, "c");
    });
    let counts: Vec<_> = blocks.iter().map(|b| (b.group, b.removes, b.puts)).collect();
    assert_eq!((counts, entries), (vec![(2, 2, 1), (3, 0, 1), (3, 0, 2)], 6));
}

#[test]
fn a_file_has_as_many_bytes_as_are_said_while_it_is_written() {
    let mut buffer = Vec::new();
    let mut writer = Writer::new(&mut buffer, 1000);
    assert_eq!(writer.len(), MAGIC.len() + 1);
    put(&mut writer, 0, &noise(1, 500));
    let open = writer.len();
    assert!((508..530).contains(&open), "{open}");
    put(&mut writer, 1, &noise(2, 500));
    assert!((open + 500..open + 550).contains(&writer.len()), "{}", writer.len());
}

#[test]
fn a_block_is_compressed_if_that_makes_it_an_eighth_smaller() {
    let sizes = |noisy: usize, zeros: usize| {
        let value = noise(3, noisy) + &"0".repeat(zeros);
        let block = written(1 << 20, |writer| put(writer, 0, &value)).0.remove(0);
        assert!(block.raw as usize > noisy + zeros);
        (block.raw, block.stored)
    };
    let (raw, stored) = sizes(1000, 0);
    assert_eq!(raw, stored);
    let (raw, stored) = sizes(1000, 100);
    assert_eq!(raw, stored, "a twelfth at most");
    let (raw, stored) = sizes(1000, 250);
    assert!(stored < raw - raw / 8, "a fifth: {stored} of {raw}");
    let (raw, stored) = sizes(0, 1000);
    assert!(stored < 50, "{stored} of {raw}");
}

#[test]
fn after_a_block_that_did_not_get_smaller_seven_are_not_tried() {
    let zeros = "0".repeat(1000);
    let (blocks, _) = written(1, |writer| {
        for round in 0..2 {
            put(writer, 0, &noise(round, 1000));
            (0..9).for_each(|_| put(writer, 0, &zeros));
        }
    });
    let is_small: Vec<_> = blocks.iter().map(|block| block.stored < block.raw).collect();
    let round = [[false; 8].as_slice(), &[true; 2]].concat();
    assert_eq!(is_small, round.repeat(2));
}

#[test]
fn only_a_delta_without_a_change_has_no_file_and_each_file_begins_anew() {
    let mut buffer = Vec::new();
    let mut writer = Writer::new(&mut buffer, 1000);
    let mut files = Vec::new();
    for (kind, puts) in [
        (StateKind::Delta, 0),
        (StateKind::Base, 0),
        (StateKind::Delta, 2),
        (StateKind::Delta, 0),
        (StateKind::Base, 1),
    ] {
        (0..puts).for_each(|_| put(&mut writer, 0, "a"));
        let mut keep = |file: EncodedState<'_>| {
            assert_eq!(blocks(file.bytes).iter().map(|block| block.puts).sum::<u32>(), puts);
            files.push((file.kind, file.entries));
            Ok(())
        };
        writer.finish(&header(kind), &mut keep).unwrap();
    }
    assert_eq!(files, [(StateKind::Base, 0), (StateKind::Delta, 2), (StateKind::Base, 1)]);
}
