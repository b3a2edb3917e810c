//! The collecting sink keeps the contract of all targets, and the sources that of all sources.

use steadfast_conformance::{SourceFixture, TargetFixture, source, target};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_memory::{Collect, Collected, Generator, Values};

struct Memory(Collected<u64>);

impl TargetFixture for Memory {
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target> {
        Collect::into_collected(&self.0).target(identity).unwrap()
    }

    fn chunk(&self, rows: &[u64]) -> Vec<u8> {
        let mut writer = Collect::<u64>::new().writer().unwrap();
        writer.write(&mut rows.to_vec()).unwrap();
        writer.take_staged()
    }

    fn rows(&self) -> Vec<u64> {
        self.0.items()
    }

    fn occupy(&self) -> Option<()> {
        None
    }

    fn poison(&self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn it_is_a_target() {
    target(|| Memory(Collect::new().collected()));
}

struct Numbers;

impl SourceFixture for Numbers {
    type Source = Values<u64>;

    fn source(&self) -> Values<u64> {
        Values::new((0..40).collect::<Vec<_>>())
    }

    fn records(&self) -> Vec<u64> {
        (0..40).collect()
    }
}

struct Squares;

impl SourceFixture for Squares {
    type Source = Generator<u64>;

    fn source(&self) -> Generator<u64> {
        Generator::new(|number| number * number).count(40).splits(3)
    }

    fn records(&self) -> Vec<u64> {
        (0..40).map(|number| number * number).collect()
    }
}

#[test]
fn values_and_a_generator_keep_the_contract_of_all_sources() {
    source(|| Numbers);
    source(|| Squares);
}
