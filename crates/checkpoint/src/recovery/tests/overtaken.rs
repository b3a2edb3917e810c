//! What a leader does about a target that others have changed after it was taken over.

use std::collections::BTreeMap;

use steadfast_protocol::manifest::ObjectRef;

use super::scene::commit;
use super::*;
use crate::snapshot::OutputChunk;
use crate::staged::StagedChunks;

/// Output would be in some targets and missing in others, and the job would go on.
#[test]
fn a_target_that_refuses_output_ends_the_leader_and_is_not_passed_over() {
    let taken = TargetState::Owned { marker: marker(9, 9), created: true };
    for (found, kind) in [(Some(taken), ErrorKind::Fenced), (None, ErrorKind::Damaged)] {
        let scene = Scene::default();
        let first = scene.begin(3, true);
        scene.commit_for_two(&first, 4, Some(marker(1, 3)));
        let [more, out] = [(); 2].map(|()| Table::of(marker(1, 4), &[]));
        let store = Arc::clone(&scene.store) as Arc<dyn Store>;
        let start = Start { also: Some("more"), ..second() };
        let recovered = scene.with_recovery(&start, |recovery| {
            let targets = named_targets([("more", &more), ("out", &out)]);
            recovery.run(&store, scene.log(), targets).unwrap()
        });
        let Recovered { leadership, mut targets, .. } = recovered;
        locked(&more).state = found;
        let permit = commit(&leadership, 6, |manifest| manifest);
        let chunks = || {
            let object = ObjectRef { name: String::new(), bytes: 1, crc32c: 0 };
            let chunk = OutputChunk { object, is_spilled: false, bytes: Some(b"x".to_vec()) };
            StagedChunks { store: &*store, chunks: vec![chunk] }
        };
        let outputs = BTreeMap::from(["more", "out"].map(|sink| (sink.to_string(), chunks())));
        let error = targets.apply(permit, &outputs).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("'more'"), "{error}");
        assert!(locked(&out).rows.is_empty(), "what comes after it has to wait");
    }
}
