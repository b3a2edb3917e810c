//! What is found out only after the claim: that the newest checkpoint is damaged, and that the one before
//! it is another matter. That one was not looked at before, so everything is asked of it that was asked
//! of the newest.

use steadfast_protocol::manifest::StagedOutput;

use super::scene::commit;
use super::*;

/// It may hold the state of an operator that the job has had until then.
#[test]
fn a_checkpoint_that_is_fallen_back_to_is_held_against_the_job() {
    let scene = Scene::default();
    let first = scene.begin(1, true);
    let tables = ["gone/total".to_string()].into();
    let _ = commit(&first, 2, |manifest| Manifest { tables, ..manifest });
    let (chunks, format) = (vec![scene.object(3)], "lines".to_string());
    let output = StagedOutput { written: true, chunks, before: None, format };
    let outputs = [("out".to_string(), output)].into();
    let _ = commit(&first, 3, |manifest| Manifest { outputs, ..manifest });
    scene.store.delete(&scene.object(3).name).unwrap();
    let error = scene.recover(&second(), None).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("gone/total"), "{error}");
}

/// One of two targets shows output of the damaged checkpoint. What the other holds must stay as it is:
/// the way out is to put the store back, and to that store the new marker would be a stranger.
#[test]
fn a_target_that_is_ahead_of_a_checkpoint_that_is_fallen_back_to_is_refused_before_another_is_moved()
 {
    let scene = Scene::default();
    let first = scene.begin(3, true);
    for checkpoint in [4, 5] {
        scene.commit_for_two(&first, checkpoint, Some(marker(1, checkpoint - 1)));
    }
    scene.store.delete(&scene.object(5).name).unwrap();
    let (more, out) = (Table::of(marker(1, 4), &["row 4"]), Table::of(marker(1, 5), &["row 5"]));
    let store = Arc::clone(&scene.store) as Arc<dyn Store>;
    let start = Start { also: Some("more"), ..second() };
    let error = scene.with_recovery(&start, |recovery| {
        let targets = named_targets([("more", &more), ("out", &out)]);
        recovery.run(&store, scene.log(), targets).err().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("'out'"), "{error}");
    assert_eq!(locked(&more).marker(), Some(marker(1, 4)), "{error}");
}
