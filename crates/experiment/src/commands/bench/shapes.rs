//! `thawline bench --shapes`: convolutions of many shapes by three methods, and how close `auto` comes to the best.

use std::collections::BTreeMap;

use serde::Serialize;
use thawline_tensor::{
    Shape,
    kernels::{conv::ConvShape, window::Padding},
    nn::{Conv2D, Layer, Method},
    threads,
};

use super::{
    layers::{FIRST, Group, uniform},
    timing::Rounds,
};

/// The methods that are compared; the naive one is only for reading and testing.
const METHODS: [Method; 3] = [Method::Im2col, Method::Implicit, Method::Winograd];

/// The most images in a batch.
const IMAGES: usize = 64;
/// The most GFLOP in a batch's forward pass, unless a single image takes more.
const GFLOP: u64 = 2;

/// The largest permitted difference between the results of two methods, relative to the largest element.
const TOLERANCE: f32 = 1e-4;

/// A convolution with padding `same`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ShapeCase {
    /// Of an image.
    pub channels: usize,
    pub filters: usize,
    /// Rows and columns of an image.
    pub side: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    pub stride: usize,
    pub images: usize,
}

impl ShapeCase {
    /// With as many images as `GFLOP` allows, from 1 to `IMAGES`.
    pub fn new([channels, filters]: [usize; 2], side: usize, kernel: usize, stride: usize) -> Self {
        let one = Self { channels, filters, side, kernel, stride, images: 1 };
        let images = (GFLOP * 1_000_000_000 / one.shape().flops()) as usize;
        Self { images: images.clamp(1, IMAGES), ..one }
    }

    fn shape(self) -> ConvShape {
        let Self { channels, filters, side, kernel, stride, .. } = self;
        let [kernel, stride] = [kernel, stride].map(|size| [size; 2]);
        ConvShape::new([side, side, channels], kernel, filters, stride, [1, 1], Padding::Same).expect("a small shape")
    }

    /// A layer with three channels reads pictures: it is the first of a network, whose input gradient no one needs.
    fn is_first_layer(self) -> bool {
        self.channels == 3
    }

    /// Times a training step of the layer by each method that applies: forward, the gradients that a step needs, and
    /// what it does once for the kernel. Every result is compared with that of im2col.
    ///
    /// # Errors
    /// If results differ by more than `TOLERANCE`.
    pub fn measure(self, rounds: Rounds) -> Result<ShapeRow, String> {
        let s = self.shape();
        let mut gflops = BTreeMap::new();
        let mut expected = None;
        for method in METHODS.into_iter().filter(|method| method.rung(&s).is_ok()) {
            let mut step = LayerStep::new(self, method);
            step.run();
            let results = step.results();
            let expected = expected.get_or_insert_with(|| results.clone());
            if let Some(difference) = difference(&results, expected) {
                return Err(format!("{method} and im2col differ by {difference:.1e} of the largest element"));
            }
            let seconds = rounds.time(|| step.run()).best();
            let passes = if self.is_first_layer() { 2 } else { 3 };
            let flops = passes * self.images as u64 * s.flops();
            gflops.insert(method.to_string(), flops as f64 / 1e9 / seconds);
        }
        let auto = Method::Auto.chosen(&s).to_string();
        let best = gflops.values().copied().fold(0.0, f64::max);
        Ok(ShapeRow { case: self, share_of_best: gflops[&auto] / best, auto, gflops })
    }
}

/// The shapes of common networks, and others at the edges of vectors and caches.
pub fn grid() -> Vec<ShapeCase> {
    let mut grid = vec![ShapeCase::new([3, 64], 32, 3, 1)];
    for channels in [16, 64, 128, 256, 512] {
        grid.extend([32, 16, 8, 4, 2, 1].map(|side| ShapeCase::new([channels; 2], side, 3, 1)));
    }
    grid.extend([17, 24, 100].map(|filters| ShapeCase::new([64, filters], 32, 3, 1)));
    for channels in [64, 512] {
        for kernel in [1, 5, 7] {
            grid.extend([32, 8].map(|side| ShapeCase::new([channels; 2], side, kernel, 1)));
        }
    }
    for channels in [64, 256] {
        grid.extend([32, 8].map(|side| ShapeCase::new([channels; 2], side, 3, 2)));
    }
    for images in [1, 8] {
        grid.extend([[64, 32], [256, 8]].map(|[channels, side]| {
            let case = ShapeCase::new([channels; 2], side, 3, 1);
            ShapeCase { images, ..case }
        }));
    }
    grid
}

/// A shape's GFLOP/s, in operations of the direct method.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeRow {
    #[serde(flatten)]
    pub case: ShapeCase,
    /// Of each method that applies.
    pub gflops: BTreeMap<String, f64>,
    /// The method that `auto` chooses.
    pub auto: String,
    /// Its GFLOP/s relative to the best.
    pub share_of_best: f64,
}

/// A layer with a batch, in training.
struct LayerStep {
    layer: Box<dyn Layer>,
    groups: Vec<Group>,
}

impl LayerStep {
    fn new(case: ShapeCase, method: Method) -> Self {
        let ShapeCase { channels, filters, side, kernel, stride, images } = case;
        let conv = Conv2D::new(filters, [kernel; 2]).stride([stride; 2]).padding(Padding::Same);
        let mut layer: Box<dyn Layer> = conv.method(method).into();
        let input = Shape::from([side, side, channels]);
        layer.build(&input, 0).and_then(|_| layer.initialize(FIRST)).expect("the layer fits");
        let [x, dy] = [(0, input.size()), (1, case.shape().output_len())].map(|(index, len)| uniform(index, len, 1.0));
        let groups = Group::all(&*layer, [&x, &dy], images, [!case.is_first_layer(), true]);
        Self { layer, groups }
    }

    fn run(&mut self) {
        let Self { layer, groups } = self;
        threads::for_each(&mut groups[..], |_, group| {
            group.forward(&**layer);
            group.backward(&**layer);
        });
        Group::finish(&**layer, groups);
        layer.refresh();
    }

    /// y and dx (empty for a first layer) of the first group, and the gradient of the kernel.
    fn results(&self) -> [Vec<f32>; 3] {
        let first = &self.groups[0];
        let kernel = self.layer.params()[0].value.len();
        [&*first.y, &*first.dx, &first.gradient[..kernel]].map(<[f32]>::to_vec)
    }
}

/// The difference of the first result that differs too much, relative to the largest element. The groups of two methods
/// may have different sizes; the smaller one counts.
fn difference(results: &[Vec<f32>; 3], expected: &[Vec<f32>; 3]) -> Option<f32> {
    // NaN, if there is one.
    let larger = |a: f32, b: f32| if b.is_nan() || b.abs() > a { b.abs() } else { a };
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, larger);
    results.iter().zip(expected).find_map(|(results, expected)| {
        let difference = largest(&mut results.iter().zip(expected).map(|(a, b)| a - b));
        let difference = if expected.is_empty() { 0.0 } else { difference / largest(&mut expected.iter().copied()) };
        (difference.is_nan() || difference > TOLERANCE).then_some(difference)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_agree_on_a_shape_of_whole_batches_and_groups() {
        for case in
            [ShapeCase::new([130, 33], 4, 3, 1), ShapeCase::new([5, 7], 9, 3, 2), ShapeCase::new([3, 9], 5, 3, 1)]
        {
            let dx = &LayerStep::new(case, Method::Im2col).groups[0].dx;
            assert_eq!(dx.is_empty(), case.channels == 3, "only the first layer needs no input gradient");
            let row = ShapeCase { images: 11, ..case }.measure(Rounds::Exactly(1)).unwrap();
            assert_eq!(row.gflops.len(), if case.stride == 1 { 3 } else { 1 }, "{row:?}");
            let best = row.gflops.values().copied().fold(0.0, f64::max);
            assert_eq!(row.share_of_best, row.gflops[&row.auto] / best);
        }
    }
}
