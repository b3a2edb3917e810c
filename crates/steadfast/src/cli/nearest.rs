//! The name that was meant by one that there is not.
//!
//! It knows nothing of what the names stand for.

/// The one of `names` that is the nearest to `name`; nothing if there are none.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    names.min_by_key(|other| distance(name, other)).unwrap_or_default()
}

/// How many characters must be put in, taken out or changed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, of_a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, of_b) in b.iter().enumerate() {
            let changed = diagonal + usize::from(of_a != *of_b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_far_apart_as_it_takes_to_type_one_for_the_other() {
        let pairs = [("", ""), ("a", ""), ("new", "now"), ("retaind", "retained"), ("abc", "cab")];
        assert_eq!(pairs.map(|(a, b)| distance(a, b)), [0, 1, 1, 1, 2]);
        assert_eq!(pairs.map(|(a, b)| distance(b, a)), [0, 1, 1, 1, 2]);
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        assert_eq!(nearest("retaind", ["retries", "retained", "reset"].into_iter()), "retained");
        assert_eq!(nearest("retaind", [].into_iter()), "");
    }
}
