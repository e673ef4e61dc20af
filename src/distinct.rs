//! Short lists as sets: in order, with each value once.

/// Returns the values in order, and each once.
///
/// By insertion: the lists of this program are short, and a sort would be compiled anew for every type.
pub fn distinct<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for value in values {
        if let Err(place) = kept.binary_search(&value) {
            kept.insert(place, value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_order_and_each_is_there_once() {
        assert_eq!(distinct([3, 1, 2, 3, 1]), [1, 2, 3]);
        assert!(distinct(Vec::<u8>::new()).is_empty());
    }
}
