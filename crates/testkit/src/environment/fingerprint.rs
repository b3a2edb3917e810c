//! Fingerprints of 128 bits: two things with the same one are taken for the same.

use steadfast_core::target::Marker;

/// See the module. The same additions in the same order give the same fingerprint in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64, u64);

/// Odd numbers without a pattern: the first digits of the fractional parts of square roots.
const FACTORS: [u64; 3] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b];

/// Mixes every bit of both into every bit of the result.
fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Fingerprint {
    /// Adds a number; order counts.
    pub fn add(&mut self, number: u64) {
        let (first, second) = (self.0, self.1);
        self.0 = mix(first ^ number ^ FACTORS[0], FACTORS[1]).wrapping_add(second.rotate_left(23));
        self.1 = mix(second ^ number.rotate_left(32) ^ FACTORS[2], FACTORS[0]) ^ first;
    }

    /// Adds another fingerprint; order counts.
    pub fn add_print(&mut self, other: Fingerprint) {
        self.add(other.0);
        self.add(other.1);
    }

    /// Adds bytes and their number; order counts.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.add(u64::from_le_bytes(word));
        }
    }

    /// Adds a marker, or that there is none; order counts.
    pub fn add_marker(&mut self, marker: Option<&Marker>) {
        let Some(Marker { lineage, claim, checkpoint }) = marker else { return self.add(0) };
        let parts = [1, lineage.0, claim.generation.0, claim.nonce, checkpoint.0];
        parts.into_iter().for_each(|part| self.add(part));
    }

    /// Adds an element to a set, or takes it out again: order does not count.
    pub fn toggle(&mut self, element: Fingerprint) {
        self.0 ^= element.0;
        self.1 ^= element.1;
    }

    /// Both halves, each as good as the whole for finding a place in a table.
    pub fn halves(&self) -> (u64, u64) {
        (self.0, self.1)
    }

    /// True for one fingerprint in four, by bits that find no place in a table.
    pub fn is_one_in_four(&self) -> bool {
        self.1 >> 62 == 0
    }
}
