//! Augmentation: random changes of the pictures, different each time training reads them.

use crate::random::Purpose;
use crate::shape::Shape;
use crate::threads;

use super::examples::{Examples, Inputs};
use super::layer::Step;

/// Random changes of pictures. They depend only on the seed, the step and the example's position in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Mirror each picture, left to right, with probability 1/2.
    pub flip: bool,
    /// Shift pictures by up to this many pixels in each direction and fill with zeros. The same as padding with zeros
    /// and cropping at random.
    pub crop: usize,
}

impl<'a> Examples<'a> {
    /// The same examples, randomly changed whenever training reads them, and unchanged in evaluation. Their features
    /// are never cached.
    ///
    /// # Panics
    /// If the inputs are not images.
    pub fn augmented(self, augment: Augment) -> Examples<'a> {
        if augment == Augment::default() {
            return self;
        }
        let image = self.inputs().shape().as_image().expect("only images can be flipped and cropped");
        self.map_inputs(|inputs| Augmented { inputs, image, augment })
    }
}

struct Augmented<'a> {
    inputs: Box<dyn Inputs + 'a>,
    image: [usize; 3],
    augment: Augment,
}

impl Inputs for Augmented<'_> {
    fn shape(&self) -> &Shape {
        self.inputs.shape()
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        self.inputs.read(index, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        let Augment { flip, crop } = self.augment;
        let mut bits = step.address(Purpose::Augment, 0).bits();
        let mirrored = flip && bits.below(2) == 1;
        let mut shift = || bits.below(2 * crop as u64 + 1) as isize - crop as isize;
        let shifts = [shift(), shift()];
        threads::with_scratch(into.len(), |picture| {
            self.inputs.read_for_training(index, step, picture);
            change(self.image, picture, mirrored, shifts, into);
        });
    }

    fn is_random(&self) -> bool {
        true
    }
}

/// Writes a picture shifted down and right, then mirrored.
fn change([h, w, c]: [usize; 3], picture: &[f32], mirrored: bool, [down, right]: [isize; 2], into: &mut [f32]) {
    let from = |place: usize, shift: isize, len: usize| place.checked_add_signed(-shift).filter(|&from| from < len);
    for (row, into) in into.chunks_exact_mut(w * c).enumerate() {
        let source = from(row, down, h).map(|row| &picture[row * w * c..][..w * c]);
        for (column, into) in into.chunks_exact_mut(c).enumerate() {
            let column = if mirrored { w - 1 - column } else { column };
            match (source, from(column, right, w)) {
                (Some(source), Some(column)) => into.copy_from_slice(&source[column * c..][..c]),
                _ => into.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn pictures_are_shifted_and_mirrored_with_zero_padding() {
        // 2 x 3 pixels of two channels, in which the second is ten times the first.
        let picture: Vec<f32> = (1..=6).flat_map(|x| [x as f32, 10.0 * x as f32]).collect();
        let changed = |mirrored, shifts| {
            let mut into = [f32::NAN; 12];
            change([2, 3, 2], &picture, mirrored, shifts, &mut into);
            assert!(into.chunks(2).all(|pixel| pixel[1] == 10.0 * pixel[0]), "channels stay together");
            [0, 2, 4, 6, 8, 10].map(|i| into[i] as u8)
        };
        assert_eq!(changed(false, [0, 0]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(changed(true, [0, 0]), [3, 2, 1, 6, 5, 4]);
        assert_eq!(changed(false, [1, 0]), [0, 0, 0, 1, 2, 3]);
        assert_eq!(changed(false, [0, 1]), [0, 1, 2, 0, 4, 5]);
        assert_eq!(changed(false, [-1, -2]), [6, 0, 0, 0, 0, 0]);
        assert_eq!(changed(true, [0, 1]), [2, 1, 0, 5, 4, 0]);
        assert_eq!(changed(false, [5, 0]), [0; 6]);
    }

    #[test]
    fn changes_are_uniform_and_absent_in_evaluation() {
        let [h, w] = [3, 5];
        let pixels: Vec<f32> = (1..=h * w).map(|x| x as f32).collect();
        let plain = Examples::new(Tensor::from_slice([1, h, w, 1], &pixels), vec![0]);
        let examples = plain.augmented(Augment { flip: true, crop: 1 });
        let mut counts = std::collections::HashMap::new();
        let mut into = vec![0.0; h * w];
        for step in 0..1800 {
            let step = Step { seed: 1, step, example: 5 };
            examples.inputs().read_for_training(0, step, &mut into);
            *counts.entry(into.iter().map(|&x| x as u8).collect::<Vec<_>>()).or_insert(0) += 1;
            let first = into.clone();
            examples.inputs().read_for_training(0, step, &mut into);
            assert_eq!(first, into, "the same address, the same change");
        }
        assert_eq!(counts.len(), 18, "mirrored or not, and nine shifts");
        // Each is expected 100 times, with a deviation of 9.7.
        assert!(counts.values().all(|&count| (50..150).contains(&count)), "{counts:?}");
        examples.inputs().read(0, &mut into);
        assert_eq!(into, pixels);
    }
}
