//! Splits pictures at random, each class alike: into training and held-out ones, or into folds.

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

/// The maximum number of folds of a cross-validation.
pub const MAX_FOLDS: usize = 5;

/// For each picture, the fold in which it is held out: every class is spread evenly over the folds, at random. There
/// are as many folds as the smallest class has distinct pictures, but 2 to [`MAX_FOLDS`]. `originals` says which
/// picture each one is a copy of, itself if of none; copies get their original's fold.
pub fn folds(seed: u64, labels: &[usize], originals: &[usize]) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |last| last + 1);
    let of_class = |class: usize| (0..labels.len()).filter(move |&at| labels[at] == class && originals[at] == at);
    let fewest = (0..classes).map(|class| of_class(class).count()).min().unwrap_or(0);
    let count = fewest.clamp(2, MAX_FOLDS);
    let mut folds = vec![0; labels.len()];
    let mut next = 0;
    for class in 0..classes {
        let mut order: Vec<usize> = of_class(class).collect();
        Stream::Folds.bits(seed, class as u64, 0).shuffle(&mut order);
        for picture in order {
            folds[picture] = next % count;
            next += 1;
        }
    }
    originals.iter().map(|&original| folds[original]).collect()
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

    #[test]
    fn every_class_is_spread_over_the_folds_and_copies_stay_together() {
        let labels: Vec<usize> = (0..60).map(|at| usize::from(at >= 40)).collect();
        let mut originals: Vec<usize> = (0..60).collect();
        (originals[7], originals[50]) = (3, 41);
        let spread = folds(1, &labels, &originals);
        for fold in 0..5 {
            let count = |class| (0..60).filter(|&at| labels[at] == class && spread[at] == fold).count();
            assert!((7..=9).contains(&count(0)) && (3..=5).contains(&count(1)), "fold {fold}");
        }
        assert_eq!([spread[7], spread[50]], [spread[3], spread[41]]);
        assert_ne!(folds(2, &labels, &originals), spread);
        assert_eq!(folds(1, &[0, 0, 0, 1, 1, 1], &[0, 1, 2, 3, 4, 5]).iter().max(), Some(&2));
    }
}
