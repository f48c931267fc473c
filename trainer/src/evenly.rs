//! A few of many.

/// Places of at most `most` of `count` things, evenly spread, the first one among them; `most` is not 0.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(count.div_ceil(most).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_spread_and_never_more_than_most() {
        assert_eq!(evenly(7, 3).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(evenly(2, 3).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(evenly(0, 3).count(), 0);
        assert!((1..200).all(|count| (1..=48).contains(&evenly(count, 48).count())));
    }
}
