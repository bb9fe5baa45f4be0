//! Checks a layer's backward pass against finite differences of its forward pass.
//!
//! With random weights w, f = sum w y is a number, and for dy = w the backward pass must give its gradient. So each
//! checked element of the input and of the parameters is changed by +-h. The outputs are `f32`; their weighted
//! differences are summed in `f64`.

use crate::random::{Address, Bits, Purpose};
use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer, LayerSeed, Step};
use super::network::require_possible;

/// Examples in the batch.
const EXAMPLES: usize = 3;

/// The largest permitted error, relative to the largest slope of an operand.
const TOLERANCE: f64 = 0.01;

/// The maximum number of elements checked per operand.
const ELEMENTS: usize = 64;

/// The step of a difference: large enough for the outputs' rounding, 1e-7, not to matter.
const H: f32 = 1.0 / 128.0;

/// All passes use the same step, so a random layer makes the same choices in each.
const STEP: Step = Step { seed: 1, step: 2, example: 0 };

/// What [`check_gradients`] finds wrong with a layer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GradientError {
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A gradient from the backward pass differs from the slope of the forward pass.
    #[error("the gradient of {operand}[{index}] is {gradient:.6}, but the slope is {slope:.6}")]
    Slope {
        /// `x`, or a parameter's name.
        operand: String,
        /// The element, counted from 0.
        index: usize,
        /// The gradient from the backward pass.
        gradient: f64,
        /// The slope of the forward pass.
        slope: f64,
    },
    /// [`Layer::gradient_len`] is less than the number of its parameters' elements, statistics not counted.
    #[error("gradient_len is {found}; expected at least {expected}, one for each element of the parameters")]
    Length {
        /// The returned length.
        found: usize,
        /// The number of elements.
        expected: usize,
    },
    /// There are too many elements at which the forward pass has a kink, or no finite slope.
    #[error("{rough} of {checked} elements of {operand} have no slope to compare with")]
    Rough {
        /// `x`, or a parameter's name.
        operand: String,
        /// Elements without a slope.
        rough: usize,
        /// Checked elements.
        checked: usize,
    },
}

/// Builds a layer for inputs of a shape, and compares its gradients with respect to the input and to each parameter
/// (statistics have none) with central differences of its training pass, over a batch of three examples. At most 64
/// elements of each are compared, to 1 % of the largest slope. The inputs are spread evenly between -1 and 1, in random
/// order; elements at a kink, such as that of a ReLU, are skipped.
///
/// ```
/// use thawline_tensor::nn::{Dense, check_gradients};
///
/// check_gradients(Dense::new(4), [10])?;
/// # Ok::<(), thawline_tensor::nn::GradientError>(())
/// ```
///
/// # Errors
/// If the layer does not take the shape or its [`gradient_len`](Layer::gradient_len) is too short, at the first element
/// whose gradient is not the slope, or if too many elements are at a kink.
pub fn check_gradients(layer: impl Into<Box<dyn Layer>>, shape: impl Into<Shape>) -> Result<(), GradientError> {
    let (mut layer, input) = (layer.into(), shape.into());
    require_possible("input", &input)?;
    let output = layer.build(&input, 1)?;
    require_possible("output", &output)?;
    layer.initialize(LayerSeed { seed: 1, position: 1 })?;
    let mut bits = Address { seed: 0, purpose: Purpose::Other(0), step: 0, index: 0 }.bits();
    for param in layer.params_mut() {
        param.value.iter_mut().for_each(|value| *value += 0.2 * bits.uniform());
    }
    layer.refresh();
    let expected = layer.params().iter().filter(|param| !param.statistic).map(|param| param.value.len()).sum();
    let found = layer.gradient_len();
    if found < expected {
        return Err(GradientError::Length { found, expected });
    }
    let x = spread_evenly(EXAMPLES * input.size(), &mut bits);
    let w = (0..EXAMPLES * output.size()).map(|_| 2.0 * bits.uniform() - 1.0).collect();
    let mut batch = Batch { layer, x, w, sizes: [input.size(), output.size()] };

    let (dx, gradient) = batch.backward([true, true]);
    // In training either may be `None`: the layer must not panic.
    batch.backward([true, false]);
    batch.backward([false, true]);
    batch.compare("x", None, &dx)?;
    let params = batch.layer.params().iter().enumerate().filter(|(_, param)| !param.statistic);
    let params: Vec<_> =
        params.map(|(position, param)| (position, param.name.to_string(), param.value.len())).collect();
    let mut gradients = &*gradient;
    for (position, name, len) in params {
        let (gradient, others) = gradients.split_at(len);
        batch.compare(&name, Some(position), gradient)?;
        gradients = others;
    }
    Ok(())
}

/// A layer and a batch.
struct Batch {
    layer: Box<dyn Layer>,
    x: Vec<f32>,
    w: Vec<f32>,
    /// Floats of an input and of an output.
    sizes: [usize; 2],
}

impl Batch {
    /// Examples per pass.
    fn group(&self) -> usize {
        if self.layer.prefers_whole_batch() { EXAMPLES } else { 1 }
    }

    /// y and what the layer saves. The layer must write what it reads later, so both start as NaN.
    fn forward(&self) -> (Vec<f32>, Vec<f32>) {
        let (group, [input, output]) = (self.group(), self.sizes);
        let saved_len = self.layer.saved_len(group);
        let mut y = vec![f32::NAN; self.w.len()];
        let mut saved = vec![f32::NAN; EXAMPLES / group * saved_len];
        for (index, (x, y)) in self.x.chunks(group * input).zip(y.chunks_mut(group * output)).enumerate() {
            let saved = &mut saved[index * saved_len..][..saved_len];
            self.layer.forward_training(x, y, saved, STEP.later(index * group));
        }
        (y, saved)
    }

    /// dx and the parameters' gradients, if wanted.
    fn backward(&self, [wants_dx, wants_gradient]: [bool; 2]) -> (Vec<f32>, Vec<f32>) {
        let (y, saved) = self.forward();
        let (group, [input, output]) = (self.group(), self.sizes);
        let saved_len = self.layer.saved_len(group);
        let mut dx = vec![f32::NAN; self.x.len()];
        let mut gradient = vec![f32::NAN; self.layer.gradient_len()];
        for (index, dx) in dx.chunks_mut(group * input).enumerate() {
            let (inputs, outputs) = (index * group * input, index * group * output);
            self.layer.backward(Backward {
                x: &self.x[inputs..][..dx.len()],
                y: &y[outputs..][..group * output],
                saved: &saved[index * saved_len..][..saved_len],
                dy: &mut self.w[outputs..][..group * output].to_vec(),
                dx: wants_dx.then_some(dx),
                gradient: wants_gradient.then_some(&mut *gradient),
                accumulate: index > 0,
                step: STEP.later(index * group),
            });
        }
        if wants_gradient {
            self.layer.finish_gradient(&mut gradient);
        }
        (dx, gradient)
    }

    /// An element of the input, or of the parameter at a position.
    fn element(&mut self, param: Option<usize>, index: usize) -> &mut f32 {
        match param {
            None => &mut self.x[index],
            Some(position) => &mut self.layer.params_mut()[position].value[index],
        }
    }

    /// The slope of sum w y along an element.
    fn slope(&mut self, param: Option<usize>, index: usize, h: f32) -> f64 {
        let center = *self.element(param, index);
        let ends = [center + h, center - h];
        let [above, below] = ends.map(|end| {
            *self.element(param, index) = end;
            self.layer.refresh();
            self.forward().0
        });
        *self.element(param, index) = center;
        self.layer.refresh();
        let differences = above.iter().zip(&below).map(|(&above, &below)| f64::from(above) - f64::from(below));
        let sum: f64 = differences.zip(&self.w).map(|(difference, &w)| difference * f64::from(w)).sum();
        sum / (f64::from(ends[0]) - f64::from(ends[1]))
    }

    fn compare(&mut self, operand: &str, param: Option<usize>, gradient: &[f32]) -> Result<(), GradientError> {
        let checked = gradient.len().min(ELEMENTS);
        let slopes: Vec<(usize, [f64; 2])> = (0..checked)
            .map(|i| i * gradient.len() / checked)
            .map(|index| (index, [H, H / 2.0].map(|h| self.slope(param, index, h))))
            .collect();
        let largest = slopes.iter().fold(0.0f64, |largest, (_, [slope, _])| largest.max(slope.abs()));
        // At a kink the slope depends on h.
        let is_smooth = |[slope, nearer]: [f64; 2]| (slope - nearer).abs() <= TOLERANCE / 2.0 * largest;
        let rough = slopes.iter().filter(|(_, slopes)| !is_smooth(*slopes)).count();
        if rough > checked / 8 {
            return Err(GradientError::Rough { operand: operand.to_owned(), rough, checked });
        }
        for (index, [slope, _]) in slopes.into_iter().filter(|(_, slopes)| is_smooth(*slopes)) {
            let gradient = f64::from(gradient[index]);
            let agrees = (gradient - slope).abs() <= TOLERANCE * largest;
            if !agrees {
                return Err(GradientError::Slope { operand: operand.to_owned(), index, gradient, slope });
            }
        }
        Ok(())
    }
}

/// Evenly spaced numbers between -1 and 1, none of them 0, in random order.
fn spread_evenly(len: usize, bits: &mut Bits) -> Vec<f32> {
    let mut numbers: Vec<f32> = (0..len).map(|i| (2 * i) as f32 / len as f32 - 1.0 + 0.9 / len as f32).collect();
    bits.shuffle(&mut numbers);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{
        Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten,
        GlobalAveragePooling2D, MaxPooling2D, Method, Padding, Rescaling, Residual,
    };

    #[test]
    fn every_layer_passes() {
        let image = [7, 6, 5];
        let conv = || Conv2D::new(18, [3, 3]);
        let boxed: [(&str, Box<dyn Layer>); 18] = [
            ("activation", Activation::Relu.into()),
            ("naive", conv().method(Method::Naive).into()),
            ("im2col", conv().stride([2, 1]).dilation([1, 2]).padding(Padding::Same).into()),
            ("implicit", conv().method(Method::Implicit).padding(Padding::Same).into()),
            ("winograd", conv().method(Method::Winograd).padding(Padding::Same).into()),
            ("batch normalization", BatchNormalization::new().into()),
            ("dropout", Dropout::new(0.3).into()),
            ("flatten", Flatten.into()),
            ("global average pooling", GlobalAveragePooling2D::new().into()),
            ("max pooling", MaxPooling2D::new([2, 2]).into()),
            ("overlapping max pooling", MaxPooling2D::new([3, 2]).stride([2, 1]).padding(Padding::Same).into()),
            ("average pooling", AveragePooling2D::new([3, 2]).stride([2, 1]).padding(Padding::Same).into()),
            ("relu6", Activation::Relu6.into()),
            ("depthwise", DepthwiseConv2D::new([3, 3]).padding(Padding::Same).into()),
            ("depthwise with strides", DepthwiseConv2D::new([5, 2]).stride([2, 1]).padding(Padding::Same).into()),
            ("rescaling", Rescaling::new([2.0], [-1.0]).into()),
            ("residual", Residual::new().layer("a", Conv2D::new(18, [1, 1])).layer("b", Conv2D::new(5, [1, 1])).into()),
            ("dense", Dense::new(3).into()),
        ];
        for (name, layer) in boxed {
            let shape = if name == "dense" { Shape::from([40]) } else { Shape::from(image) };
            assert_eq!(check_gradients(layer, shape), Ok(()), "{name}");
        }
    }

    /// y = c x, with a given fault in the backward pass.
    #[derive(Clone, Debug)]
    struct Scale {
        params: Vec<crate::nn::Param>,
        fault: &'static str,
    }

    impl Layer for Scale {
        fn forward(&self, x: &[f32], y: &mut [f32]) {
            let c = self.params[0].value[0];
            y.iter_mut().zip(x).for_each(|(y, x)| *y = if self.fault == "rough" { (100.0 * x).round() } else { c * x });
        }

        fn backward(&self, pass: Backward<'_>) {
            let c = self.params[0].value[0];
            if let Some(dx) = pass.dx {
                let wrong = if self.fault == "dx" { 1.05 } else { 1.0 };
                dx.iter_mut().zip(&*pass.dy).for_each(|(dx, dy)| *dx = wrong * c * dy);
            }
            if let Some(gradient) = pass.gradient {
                let before = if pass.accumulate && self.fault != "accumulate" { gradient[0] } else { 0.0 };
                gradient[0] = before + pass.x.iter().zip(&*pass.dy).map(|(x, dy)| x * dy).sum::<f32>();
            }
        }

        fn gradient_len(&self) -> usize {
            if self.fault == "gradient_len" { 0 } else { 1 }
        }

        fn params(&self) -> &[crate::nn::Param] {
            &self.params
        }

        fn params_mut(&mut self) -> &mut [crate::nn::Param] {
            &mut self.params
        }
    }

    #[test]
    fn faults_are_found() {
        let check = |fault| {
            let value = crate::Buffer::from(&[2.0][..]);
            let params = vec![crate::nn::Param { value, ..crate::nn::Param::new("c", [1]) }];
            check_gradients(Scale { params, fault }, [20])
        };
        assert_eq!(check("none"), Ok(()));
        for (fault, expected) in [
            ("dx", "x["),
            ("accumulate", "c[0]"),
            ("rough", "of 60 elements of x have no slope"),
            ("gradient_len", "gradient_len is 0; expected at least 1"),
        ] {
            let error = check(fault).expect_err(fault).to_string();
            assert!(error.contains(expected), "{fault}: {error}");
        }
        let error = check_gradients(Dense::new(3), [2, 2]).expect_err("no vector").to_string();
        assert!(error.contains("put a Flatten before it"), "{error}");
    }
}
