//! Which pictures are learned from and which are kept back to judge by: the same share of each class, by chance.

use crate::system::streams::Stream;

/// For each of `count` pictures of a class, whether it is kept back: `share` of them, rounded, but at least one, and at
/// least one is left to learn from. Which they are depends on the seed, the class and `count`.
///
/// # Panics
/// If there are fewer than two.
pub fn validation(seed: u64, class: usize, count: usize, share: f64) -> Vec<bool> {
    assert!(count >= 2, "{count} pictures cannot be on both sides");
    let kept_back = ((count as f64 * share).round() as usize).clamp(1, count - 1);
    let mut order: Vec<usize> = (0..count).collect();
    Stream::HeldOut.bits(seed, class as u64, 0).shuffle(&mut order);
    let mut validation = vec![false; count];
    order[..kept_back].iter().for_each(|&index| validation[index] = true);
    validation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_back_and_both_sides_have_some() {
        for (count, share, expected) in [(100, 0.2, 20), (10, 0.25, 3), (2, 0.01, 1), (2, 0.99, 1), (3, 0.9, 2)] {
            let kept_back = validation(1, 0, count, share).into_iter().filter(|&kept| kept).count();
            assert_eq!(kept_back, expected, "{share} of {count}");
        }
    }

    #[test]
    fn seeds_and_classes_differ_and_nothing_else_does() {
        let first = validation(1, 0, 100, 0.5);
        assert_eq!(validation(1, 0, 100, 0.5), first);
        assert_ne!(validation(2, 0, 100, 0.5), first);
        assert_ne!(validation(1, 1, 100, 0.5), first);
    }
}
