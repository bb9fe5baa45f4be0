//! Splits pictures into training and held-out ones: the same share of each class, at random.

use crate::system::streams::Stream;

/// For each of `count` >= 2 pictures of a class, whether it is held out: `share` of them, rounded, but at least one for
/// each side. The choice depends on the seed, the class and `count`.
pub fn validation(seed: u64, class: usize, count: usize, share: f64) -> Vec<bool> {
    assert!(count >= 2, "{count} pictures cannot be split");
    let held_out = ((count as f64 * share).round() as usize).clamp(1, count - 1);
    let mut order: Vec<usize> = (0..count).collect();
    Stream::HeldOut.bits(seed, class as u64, 0).shuffle(&mut order);
    let mut validation = vec![false; count];
    order[..held_out].iter().for_each(|&index| validation[index] = true);
    validation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_held_out_and_neither_side_is_empty() {
        for (count, share, expected) in [(100, 0.2, 20), (10, 0.25, 3), (2, 0.01, 1), (2, 0.99, 1), (3, 0.9, 2)] {
            let held_out = validation(1, 0, count, share).into_iter().filter(|&is| is).count();
            assert_eq!(held_out, expected, "{share} of {count}");
        }
    }

    #[test]
    fn the_split_depends_on_the_seed_and_the_class() {
        let first = validation(1, 0, 100, 0.5);
        assert_eq!(validation(1, 0, 100, 0.5), first);
        assert_ne!(validation(2, 0, 100, 0.5), first);
        assert_ne!(validation(1, 1, 100, 0.5), first);
    }
}
