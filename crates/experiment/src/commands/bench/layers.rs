//! Layers to time, forward and backward: the tutorial's two convolutions by every method, its ReLU, its pooling, and a
//! depthwise convolution. As in training, groups of pictures run in parallel at the process's SIMD level.

use std::{fmt, sync::Arc};

use thawline_tensor::{
    Buffer, Shape,
    kernels::{
        conv::{ConvShape, naive},
        reference::{for_each_depthwise_product, max_pool_winners},
        window::{Padding, WindowShape},
    },
    nn::{Activation, Backward, Conv2D, DepthwiseConv2D, Layer, LayerSeed, MaxPooling2D, Method, Step, group_size},
    threads,
};

use super::timing::{Work, Workload};
use crate::system::streams::Stream;

/// One of the three computations of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// y from x.
    Forward,
    /// dx from dy.
    InputGradient,
    /// dkernel from x and dy, summed over the batch.
    KernelGradient,
}

impl Pass {
    /// In the order of `Case::expected`.
    pub const ALL: [Pass; 3] = [Pass::Forward, Pass::InputGradient, Pass::KernelGradient];
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Pass::Forward => "forward",
            Pass::InputGradient => "input gradient",
            Pass::KernelGradient => "kernel gradient",
        })
    }
}

/// A layer's inputs and the expected results.
///
/// A batch is the same picture repeated, so that the reference for one picture holds for all.
pub struct Case {
    name: &'static str,
    input: Shape,
    x: Buffer,
    dy: Buffer,
    /// Kernel and bias, if any.
    params: Vec<Buffer>,
    /// y, dx and dkernel of one picture, computed from the definition in `f64`; dkernel is empty without a kernel.
    expected: [Vec<f64>; 3],
    /// For each of these, the largest sum of the terms' absolute values, to which rounding errors are relative.
    scale: [f64; 3],
    /// FLOPs of a pass over one picture.
    flops: u64,
}

impl Case {
    /// The tutorial's first convolution: 3 channels to 64.
    pub fn conv1() -> Arc<Self> {
        Self::convolution("conv1", [32, 32, 3])
    }

    /// The tutorial's second convolution, 64 channels to 64: where most of the time goes.
    pub fn conv2() -> Arc<Self> {
        Self::convolution("conv2", [30, 30, 64])
    }

    /// A 3 x 3 convolution of an input to 64 channels, without padding.
    pub fn convolution(name: &'static str, input: [usize; 3]) -> Arc<Self> {
        let s = &shape(input);
        // Within Glorot's limit.
        let limit = (6.0 / (9 * (s.c + s.filters)) as f32).sqrt();
        let params = [(2, s.kernel_len()), (3, s.filters)].map(|(index, len)| uniform(index, len, limit));
        let passes = |[x, dy, kernel, bias]: [&[f64]; 4]| {
            let [mut y, mut dx, mut dkernel] =
                [s.output_len(), s.input_len(), s.kernel_len()].map(|len| vec![0.0f64; len]);
            naive::forward(s, x, kernel, bias, &mut y);
            naive::input_gradient(s, dy, kernel, &mut dx);
            naive::kernel_gradient(s, x, dy, &mut dkernel);
            [y, dx, dkernel]
        };
        Self::with_kernel(name, [s.h, s.w, s.c], s.output_len(), params, passes, s.flops())
    }

    /// A depthwise convolution as in MobileNetV2: 3 x 3 over 144 channels.
    pub fn depthwise() -> Arc<Self> {
        let s = WindowShape::new([24, 24, 144], [3, 3], [1, 1], Padding::Same).expect("the kernel fits");
        let params = [(2, 9 * s.c), (3, s.c)].map(|(index, len)| uniform(index, len, 0.5));
        let passes = |[x, dy, kernel, bias]: [&[f64]; 4]| {
            let mut y: Vec<f64> = bias.iter().copied().cycle().take(s.output_len()).collect();
            let [mut dx, mut dkernel] = [x, kernel].map(|operand| vec![0.0; operand.len()]);
            for_each_depthwise_product(&s, |i, k, o| {
                y[o] += x[i] * kernel[k];
                dx[i] += dy[o] * kernel[k];
                dkernel[k] += dy[o] * x[i];
            });
            [y, dx, dkernel]
        };
        let flops = 2 * 9 * s.output_len() as u64;
        Self::with_kernel("depthwise", [s.h, s.w, s.c], s.output_len(), params, passes, flops)
    }

    /// A layer with a kernel and a bias, and pictures and gradients between -1 and 1. `passes` computes all passes from
    /// x, dy, kernel and bias in f64.
    fn with_kernel(
        name: &'static str,
        input: [usize; 3],
        output_len: usize,
        [kernel, bias]: [Buffer; 2],
        passes: impl Fn([&[f64]; 4]) -> [Vec<f64>; 3],
        flops: u64,
    ) -> Arc<Self> {
        let [x, dy] = [(0, input.iter().product()), (1, output_len)].map(|(index, len)| uniform(index, len, 1.0));
        let operands = [&x, &dy, &kernel, &bias].map(|floats| wide(floats));
        let sizes = operands.each_ref().map(|floats| floats.iter().map(|x| x.abs()).collect::<Vec<f64>>());
        let expected = passes(operands.each_ref().map(|floats| &floats[..]));
        let scale = largest(&passes(sizes.each_ref().map(|floats| &floats[..])));
        Arc::new(Self { name, input: Shape::from(input), x, dy, params: vec![kernel, bias], expected, scale, flops })
    }

    /// The ReLU after the second convolution.
    pub fn relu() -> Arc<Self> {
        let [x, dy] = [0, 1].map(|index| uniform(index, 28 * 28 * 64, 1.0));
        let y = x.iter().map(|&x| f64::from(x.max(0.0))).collect();
        let dx = x.iter().zip(&*dy).map(|(&x, &dy)| if x > 0.0 { f64::from(dy) } else { 0.0 }).collect();
        let input = Shape::from([28, 28, 64]);
        let expected = [y, dx, Vec::new()];
        let scale = largest(&expected);
        Arc::new(Self { name: "relu", input, x, dy, params: Vec::new(), expected, scale, flops: 0 })
    }

    /// The pooling after that ReLU.
    pub fn max_pool() -> Arc<Self> {
        let s = WindowShape::new([28, 28, 64], [2, 2], [2, 2], Padding::Valid).expect("the window fits");
        let [x, dy] = [(0, s.input_len()), (1, s.output_len())].map(|(index, len)| uniform(index, len, 1.0));
        let winners = max_pool_winners(&s, &x);
        let mut dx = vec![0.0; s.input_len()];
        winners.iter().zip(&*dy).for_each(|(&winner, &dy)| dx[winner] += f64::from(dy));
        let y = winners.iter().map(|&winner| f64::from(x[winner])).collect();
        let input = Shape::from([28, 28, 64]);
        let expected = [y, dx, Vec::new()];
        let scale = largest(&expected);
        Arc::new(Self { name: "max-pool", input, x, dy, params: Vec::new(), expected, scale, flops: 0 })
    }
}

/// The largest absolute value of each.
fn largest(passes: &[Vec<f64>; 3]) -> [f64; 3] {
    passes.each_ref().map(|elements| elements.iter().fold(0.0f64, |largest, element| largest.max(element.abs())))
}

/// A 3 x 3 convolution to 64 channels without padding.
fn shape(input: [usize; 3]) -> ConvShape {
    ConvShape::new(input, [3, 3], 64, [1, 1], [1, 1], Padding::Valid).expect("the kernel fits")
}

/// The largest permitted error, relative to the case's scale.
const TOLERANCE: f64 = 2e-5;

/// A pass of a layer over a batch.
pub struct LayerPass {
    labels: [String; 2],
    case: Arc<Case>,
    layer: Box<dyn Layer>,
    pass: Pass,
    images: usize,
    groups: Vec<Group>,
}

/// The operands and results of a group of pictures, or of the whole batch if the layer prefers it.
pub struct Group {
    x: Buffer,
    pub y: Buffer,
    saved: Buffer,
    dy: Buffer,
    /// Empty if not wanted, and so is `gradient`.
    pub dx: Buffer,
    pub gradient: Buffer,
}

impl Group {
    /// The groups of a batch that repeats a picture; with dx and the gradient of the parameters, if wanted.
    pub fn all(layer: &dyn Layer, [x, dy]: [&[f32]; 2], images: usize, [dx, gradient]: [bool; 2]) -> Vec<Self> {
        let size = if layer.prefers_whole_batch() { images } else { group_size(images) };
        let wanted = |wanted: bool, len: usize| Buffer::zeros(if wanted { len } else { 0 });
        let group = |copies: usize| Self {
            x: repeat(x, copies),
            y: Buffer::zeros(copies * dy.len()),
            saved: Buffer::zeros(layer.saved_len(copies)),
            dy: repeat(dy, copies),
            dx: wanted(dx, copies * x.len()),
            gradient: wanted(gradient, layer.gradient_len()),
        };
        (0..images).step_by(size).map(|first| group(size.min(images - first))).collect()
    }

    pub fn forward(&mut self, layer: &dyn Layer) {
        layer.forward_training(&self.x, &mut self.y, &mut self.saved, STEP);
    }

    /// Reads what the forward pass wrote.
    pub fn backward(&mut self, layer: &dyn Layer) {
        let Self { x, y, saved, dy, dx, gradient } = self;
        let [dx, gradient] = [dx, gradient].map(|wanted| (!wanted.is_empty()).then_some(&mut **wanted));
        layer.backward(Backward { x, y, saved, dy, dx, gradient, accumulate: false, step: STEP });
    }

    /// Adds the gradients of all groups to the first group's, and gives it the form of the parameters.
    pub fn finish(layer: &dyn Layer, groups: &mut [Self]) {
        let (sum, others) = groups.split_first_mut().expect("a batch has a picture");
        for other in others {
            sum.gradient.iter_mut().zip(&*other.gradient).for_each(|(sum, &addend)| *sum += addend);
        }
        layer.finish_gradient(&mut sum.gradient);
    }
}

/// The seed of the initial weights. Their values do not affect the times.
pub const FIRST: LayerSeed = LayerSeed { seed: 0, position: 0 };

/// All passes belong to the first step; none of these layers is random.
const STEP: Step = Step { seed: 0, step: 0, example: 0 };

impl LayerPass {
    /// A convolution by a method.
    ///
    /// # Panics
    /// If the case is not a convolution, or the method cannot compute it.
    pub fn convolution(case: &Arc<Case>, method: Method, pass: Pass, images: usize) -> Self {
        let labels = [format!("{} {pass}", case.name), format!("{method}, {images} images")];
        let filters = case.params[1].len();
        Self::new(case, Box::new(Conv2D::new(filters, [3, 3]).method(method)), pass, images, labels)
    }

    pub fn relu(pass: Pass, images: usize) -> Self {
        let labels = ["light operation".to_owned(), format!("relu {pass}")];
        Self::new(&Case::relu(), Box::new(Activation::Relu), pass, images, labels)
    }

    pub fn max_pool(pass: Pass, images: usize) -> Self {
        let labels = ["light operation".to_owned(), format!("max-pool {pass}")];
        Self::new(&Case::max_pool(), Box::new(MaxPooling2D::new([2, 2])), pass, images, labels)
    }

    pub fn depthwise(pass: Pass, images: usize) -> Self {
        let labels = ["light operation".to_owned(), format!("depthwise {pass}")];
        let layer = DepthwiseConv2D::new([3, 3]).padding(Padding::Same);
        Self::new(&Case::depthwise(), Box::new(layer), pass, images, labels)
    }

    fn new(case: &Arc<Case>, mut layer: Box<dyn Layer>, pass: Pass, images: usize, labels: [String; 2]) -> Self {
        layer.build(&case.input, 0).and_then(|_| layer.initialize(FIRST)).expect("the layer fits");
        for (param, value) in layer.params_mut().iter_mut().zip(&case.params) {
            param.value.copy_from_slice(value);
        }
        layer.refresh();
        let wanted = [pass == Pass::InputGradient, pass == Pass::KernelGradient];
        let groups = Group::all(&*layer, [&case.x, &case.dy], images, wanted);
        let mut it = Self { labels, case: Arc::clone(case), layer, pass, images, groups };
        // Backward passes read what the forward pass wrote.
        it.forward();
        it
    }

    fn forward(&mut self) {
        let layer = &*self.layer;
        threads::for_each(&mut self.groups[..], |_, group| group.forward(layer));
    }

    fn backward(&mut self) {
        let layer = &*self.layer;
        threads::for_each(&mut self.groups[..], |_, group| group.backward(layer));
        if self.pass == Pass::KernelGradient {
            Group::finish(layer, &mut self.groups);
        }
    }

    /// The result in pieces, and how many times the reference for one picture it should be.
    fn results(&self) -> (Vec<&[f32]>, f64) {
        let groups = self.groups.iter();
        match self.pass {
            Pass::Forward => (groups.map(|group| &*group.y).collect(), 1.0),
            Pass::InputGradient => (groups.map(|group| &*group.dx).collect(), 1.0),
            Pass::KernelGradient => (vec![&self.groups[0].gradient[..self.case.expected[2].len()]], self.images as f64),
        }
    }
}

impl Workload for LayerPass {
    fn labels(&self) -> [String; 2] {
        self.labels.clone()
    }

    fn work(&self) -> Work {
        let Case { name, x, dy, params, flops, .. } = &*self.case;
        // A pass reads or writes each of these once, except that dx needs no bias (less than 1 KB). ReLU's gradient
        // also reads y; the pooling's also reads x and y.
        let mut floats = self.images * (x.len() + dy.len()) + params.iter().map(|param| param.len()).sum::<usize>();
        if params.is_empty() && self.pass == Pass::InputGradient {
            floats += self.images * (if *name == "relu" { x.len() } else { x.len() + dy.len() });
        }
        let images = self.images as u64;
        Work { flops: images * flops, flops_done: images * self.layer.flops_done(), bytes: 4 * floats as u64 }
    }

    fn run(&mut self) {
        match self.pass {
            Pass::Forward => self.forward(),
            Pass::InputGradient | Pass::KernelGradient => self.backward(),
        }
    }

    fn check(&mut self) -> Result<f64, String> {
        for group in &mut self.groups {
            let Group { y, dx, .. } = group;
            let written = if self.pass == Pass::Forward { y } else { dx };
            written.fill(f32::NAN);
        }
        self.run();
        let expected = &self.case.expected[self.pass as usize];
        let scale = self.case.scale[self.pass as usize];
        let (results, times) = self.results();
        let mut worst = 0.0f64;
        for (&found, expected) in results.into_iter().flatten().zip(expected.iter().cycle()) {
            let error = (f64::from(found) / times - expected).abs() / scale;
            if error.is_nan() || error > TOLERANCE {
                return Err(format!("an element is {found} instead of {:.6}", times * expected));
            }
            worst = worst.max(error);
        }
        Ok(worst)
    }
}

fn repeat(picture: &[f32], copies: usize) -> Buffer {
    let mut batch = Buffer::zeros(copies * picture.len());
    batch.chunks_exact_mut(picture.len()).for_each(|copy| copy.copy_from_slice(picture));
    batch
}

pub fn wide(floats: &[f32]) -> Vec<f64> {
    floats.iter().map(|&x| f64::from(x)).collect()
}

/// Random numbers between `-limit` and `limit`.
pub fn uniform(index: u64, len: usize, limit: f32) -> Buffer {
    let mut bits = Stream::BenchLayer.bits(0, 0, index);
    let mut floats = Buffer::zeros(len);
    floats.iter_mut().for_each(|float| *float = limit * (2.0 * bits.uniform() - 1.0));
    floats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_of_every_layer_is_correct() {
        let conv1 = Case::conv1();
        for pass in Pass::ALL {
            for method in Method::LADDER {
                let error = LayerPass::convolution(&conv1, method, pass, 9).check();
                assert!(error.as_ref().is_ok_and(|&error| error > 0.0), "{pass} by {method}: {error:?}");
            }
        }
        for pass in Pass::ALL {
            let error = LayerPass::depthwise(pass, 9).check();
            assert!(error.is_ok(), "depthwise {pass}: {error:?}");
        }
        for pass in [Pass::Forward, Pass::InputGradient] {
            assert_eq!(LayerPass::relu(pass, 9).check(), Ok(0.0), "relu {pass}");
            assert_eq!(LayerPass::max_pool(pass, 9).check(), Ok(0.0), "max-pool {pass}");
        }
    }

    #[test]
    fn a_wrong_result_is_detected() {
        let mut pass = LayerPass::convolution(&Case::conv1(), Method::Implicit, Pass::InputGradient, 2);
        assert!(pass.check().is_ok());
        pass.layer.params_mut()[0].value[5] += 0.01;
        pass.layer.refresh();
        assert!(pass.check().is_err());
    }

    #[test]
    fn winograd_needs_a_quarter_of_the_multiplications() {
        let pass = LayerPass::convolution(&Case::conv2(), Method::Winograd, Pass::Forward, 1);
        assert_eq!(pass.layer.flops(), 4 * pass.layer.flops_done());
    }
}
