//! The collecting sink keeps the contract of all targets.

use steadfast_conformance::{TargetFixture, target};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_memory::{Collect, Collected};

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
