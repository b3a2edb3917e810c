//! What is not a whole state file is refused, with the reason.

use steadfast_core::ErrorKind;
use steadfast_core::key::KeyGroups;
use steadfast_core::state::StateKind;

use super::*;
use crate::file::Writer;

/// A file with a block of one entry for each of so many groups.
fn file(groups: u16) -> Vec<u8> {
    let (mut buffer, mut bytes) = (Vec::new(), Vec::new());
    let mut writer = Writer::new(&mut buffer, 1 << 20);
    for group in 0..groups {
        writer.put(KeyGroup(group), &"key", &7).unwrap();
    }
    let header = Header::new("t", StateKind::Base, KeyGroups { first: 0, end: groups }, groups);
    writer
        .finish(&header, &mut |file| {
            bytes = file.bytes.to_vec();
            Ok(())
        })
        .unwrap();
    bytes
}

/// Where the header begins.
fn tail(file: &[u8]) -> usize {
    let length = file.len() - TAIL_END;
    length - u32::from_le_bytes(file[length..length + 4].try_into().unwrap()) as usize
}

/// Puts the checksum of `file[from..to]` behind it.
fn seal(file: &mut [u8], from: usize, to: usize) {
    let crc = crc32c::crc32c(&file[from..to]);
    file[to..to + 4].copy_from_slice(&crc.to_le_bytes());
}

/// As `file`, with another number of blocks in its tail.
fn saying(mut file: Vec<u8>, blocks: u32) -> Vec<u8> {
    let (from, to) = (tail(&file), file.len() - 4);
    file[to - 4..to].copy_from_slice(&blocks.to_le_bytes());
    seal(&mut file, from, to);
    file
}

/// Reads all of it, values as `V`.
fn read<V: DeserializeOwned>(file: &[u8]) -> Result<usize> {
    let mut entries = 0;
    for block in Reader::open(file)?.blocks() {
        block?.decode::<String, V>(|_| {
            entries += 1;
            Ok(())
        })?;
    }
    Ok(entries)
}

#[track_caller]
fn refused(file: &[u8], kind: ErrorKind, why: &str) {
    let error = read::<i32>(file).unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(why), "{error}");
}

#[test]
fn what_was_written_is_read() {
    for groups in 1..4 {
        assert_eq!(read::<i32>(&file(groups)).unwrap(), usize::from(groups));
    }
}

#[test]
fn another_kind_of_file_is_told_from_one_of_another_release() {
    let mut other = file(1);
    other[0] ^= 1;
    refused(&other, ErrorKind::Damaged, "does not begin like one");
    let mut later = file(1);
    later[MAGIC.len()] = VERSION + 1;
    refused(&later, ErrorKind::Configuration, "version 3, this build reads 2");
}

#[test]
fn a_file_of_which_the_end_is_missing_is_damaged() {
    let whole = file(2);
    for length in 0..whole.len() {
        assert_eq!(read::<i32>(&whole[..length]).unwrap_err().kind(), ErrorKind::Damaged);
    }
    refused(&whole[..MAGIC.len() + 3], ErrorKind::Damaged, "ends too early");
    refused(&whole[..whole.len() - 1], ErrorKind::Damaged, "");
}

#[test]
fn another_number_of_blocks_than_the_file_says_is_damage_and_is_said_once() {
    assert_eq!(read::<i32>(&saying(file(2), 2)).unwrap(), 2);
    for (says, why) in [(0, "more in it than it says"), (1, "more in it"), (3, "ends too early")] {
        let file = saying(file(2), says);
        refused(&file, ErrorKind::Damaged, why);
        let items: Vec<_> =
            Reader::open(&file).unwrap().blocks().map(|item| item.is_ok()).collect();
        let intact = says.min(2) as usize;
        assert_eq!((items.len(), items.iter().filter(|ok| **ok).count()), (intact + 1, intact));
    }
}

#[test]
fn a_damaged_block_is_named_by_its_group() {
    let mut file = file(2);
    let at = tail(&file) - 1;
    file[at] ^= 1;
    refused(&file, ErrorKind::Damaged, "(key group 1) that fails its checksum");
}

#[test]
fn a_tail_that_is_no_header_is_damage() {
    let mut file = file(1);
    let (from, to) = (tail(&file), file.len() - 4);
    file[from] = b'[';
    refused(&file, ErrorKind::Damaged, "does not end as it was written");
    seal(&mut file, from, to);
    refused(&file, ErrorKind::Damaged, "header that does not parse");
}

/// Its checksum is right: whoever wrote it counted wrong.
#[test]
fn a_block_with_more_or_less_in_it_than_it_says_is_damage() {
    for (puts, why) in [(0_u32, "too much in it"), (2, "does not hold what it says")] {
        let mut file = file(1);
        let (block, end) = (MAGIC.len() + 1, tail(&file) - 4);
        file[block + 6..block + 10].copy_from_slice(&puts.to_le_bytes());
        seal(&mut file, block, end);
        refused(&file, ErrorKind::Damaged, why);
    }
}

#[test]
fn a_value_of_another_type_is_no_damage() {
    let error = read::<String>(&file(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("a value of the stored state does not fit"), "{error}");
}
