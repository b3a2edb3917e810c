//! What nobody may go on with: an input file that has become shorter, or that is not named any more although
//! it was read half. A process that is given such input must be refused, and change nothing.

use crate::input::{SPLITS, Topology};

use super::history::Run;

const SHORTER: &str = "the file has become shorter";
const LEFT_OUT: &str = "the last checkpoint is in the middle of this file";

impl Run {
    /// Sometimes starts a process with input that it has to refuse, and puts it right again.
    pub(super) fn try_worse_input(&mut self) -> Option<String> {
        let files = self.world.files.clone()?;
        if self.is_damaged() || self.random.u8(..4) == 0 {
            return None;
        }
        let manifest = self.newest_of_history()?;
        let positions = manifest.sources.get("first")?;
        let mut life = self.draw_life().willing(self.character.foreign);
        let from = self.random.usize(..SPLITS[0]);
        // One that is half read, if there is one.
        let mut all = (0..SPLITS[0]).map(|at| (from + at) % SPLITS[0]);
        let which = all.find(|which| files.is_half_read(*which, positions)).unwrap_or(from);
        let is_half_read = files.is_half_read(which, positions);
        if !is_half_read || self.random.bool() {
            let is_divided = self.scenario().topology == Topology::Lines;
            let known = files.known(which, positions, is_divided).filter(|known| *known > 0)?;
            let length = self.random.usize(..known as usize);
            files.put_shorter(which, length, &self.world.disk);
            life.must_say = Some(SHORTER);
            self.world.observer.count("input: a file that has become shorter is refused");
        } else {
            (life.left_out, life.must_say) = (Some(which), Some(LEFT_OUT));
            self.world.observer.count("input: a file that is not named any more is refused");
        }
        let violation = self.round(vec![life], true);
        files.put(&self.growth, &self.world.disk);
        violation
    }
}
