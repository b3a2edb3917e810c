//! Finds circles in a small graph of names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which names each name points to.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The shortest circle through each name that is on one; each circle once, from its first name.
///
/// It is empty exactly if the graph has no circle. An arrow from a name to itself is not one.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut covered = BTreeSet::new();
    for start in graph.keys() {
        if covered.contains(start) {
            continue;
        }
        if let Some(circle) = shortest(graph, start) {
            covered.extend(circle.iter().cloned());
            found.push(circle);
        }
    }
    found
}

/// Breadth first from `start` until it is reached again.
fn shortest(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in graph.get(at).into_iter().flatten().filter(|next| *next != at) {
            if next == start {
                let mut path = vec![at.to_owned()];
                let mut back = at;
                while let Some(&before) = came_from.get(back) {
                    path.push(before.to_owned());
                    back = before;
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arrows: &[(&str, &[&str])]) -> Vec<String> {
        let graph: Graph = arrows
            .iter()
            .map(|(from, to)| ((*from).to_owned(), to.iter().map(|&to| to.to_owned()).collect()))
            .collect();
        circles(&graph).iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn arrows_that_only_point_down_make_no_circle() {
        assert_eq!(found(&[("a", &["b", "c"]), ("b", &["c", "d"]), ("c", &["d"])]), [""; 0]);
        assert_eq!(found(&[("a", &["a"])]), [""; 0]);
    }

    #[test]
    fn every_circle_is_found_once_by_its_shortest_way() {
        assert_eq!(found(&[("a", &["b"]), ("b", &["a"])]), ["a b"]);
        assert_eq!(found(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["a"])]), ["a c", "b c a"]);
        assert_eq!(found(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["b"]), ("d", &[])]), ["b c"]);
    }
}
