//! Layers written outside the engine: what they are given, and what a residual connection does with their parameters.

use thawline_tensor::nn::{
    Activation, Backward, BuildError, Builder, Conv2D, Dense, Examples, Fit, Layer, MaxPooling2D, Method, Network,
    Param, Residual, Role, Step, check_gradients,
};
use thawline_tensor::{Buffer, Shape, Tensor};

use crate::small::{FIT, add_constant_backward};

/// Adds a weight to each input and has a statistic, which nothing updates. It needs the whole batch, if `whole`, and
/// saves its inputs.
#[derive(Clone, Debug)]
struct Shift {
    params: Vec<Param>,
    whole: bool,
}

impl Shift {
    fn new(whole: bool) -> Self {
        let [weight, statistic] = ["weight", "statistic"].map(|name| Param::new(name, [1]));
        let [weight, statistic] = [weight, statistic].map(|param| Param { value: Buffer::zeros(1), ..param });
        Self { params: vec![weight, Param { statistic: true, ..statistic }], whole }
    }
}

impl Layer for Shift {
    fn whole_batch(&self) -> bool {
        self.whole
    }

    fn saved_len(&self, examples: usize) -> usize {
        examples * 6
    }

    fn forward(&self, x: &[f32], y: &mut [f32]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.params[0].value[0]);
    }

    fn forward_training(&self, x: &[f32], y: &mut [f32], saved: &mut [f32], _step: Step) {
        saved.copy_from_slice(x);
        self.forward(x, y);
    }

    fn backward(&self, pass: Backward<'_>) {
        assert_eq!(pass.saved.len(), pass.dy.len());
        add_constant_backward(pass);
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }
}

#[test]
fn in_a_smaller_last_batch_a_layer_saves_less() {
    for whole in [false, true] {
        let mut network =
            Network::builder([6]).layer("shift", Shift::new(whole)).layer("dense", Dense::new(2)).build(1).unwrap();
        let examples = Examples::new(Tensor::from_slice([5, 6], &[0.5; 30]), vec![1; 5]);
        network.fit(&examples, Fit { epochs: 1, batch_size: 4, ..FIT }).expect("training succeeds");
    }
}

#[test]
fn a_residual_connection_around_a_layer_that_does_no_work_is_refused() {
    let error = Network::builder([4, 2, 3]).layer("x", Residual::new().layer("rows", Rows(4))).build(1).unwrap_err();
    assert!(error.to_string().contains("its layers only change the shape"), "{error}");
}

#[test]
fn a_statistic_inside_a_residual_connection_has_no_gradient() {
    let inside = Residual::new().layer("shift", Shift::new(false)).layer("conv", Conv2D::new(2, [1, 1]));
    check_gradients(inside, [1, 3, 2]).expect("the gradients are the slopes");
}

/// Cuts the pixels of an image into this many rows.
#[derive(Clone, Copy, Debug)]
struct Rows(usize);

impl Layer for Rows {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let [h, w, c] = input.as_image().ok_or("it takes an image")?;
        Ok([self.0, h * w / self.0, c].into())
    }

    fn forward(&self, _x: &[f32], _y: &mut [f32]) {
        unreachable!("a layer that only changes the shape is not executed");
    }

    fn backward(&self, _pass: Backward<'_>) {
        unreachable!("nor is its backward pass");
    }

    fn role(&self) -> Role {
        Role::Reshape
    }
}

#[test]
fn a_pool_after_a_layer_that_reshapes_pools_the_new_rows() {
    let features = || {
        let conv = Conv2D::new(3, [3, 3]).method(Method::Winograd);
        Network::builder([8, 8, 2]).layer("conv", conv).layer("relu", Activation::Relu).layer("rows", Rows(4))
    };
    let x = Tensor::from_slice([1, 8, 8, 2], &(0..128).map(|i| (i as f32).sin()).collect::<Vec<_>>());
    let outputs = |builder: Builder| {
        let network = builder.build(1).expect("it fits");
        network.predict(&Examples::new(x.clone(), vec![0])).logits().data().to_vec()
    };
    let image = outputs(features());
    let at = |h: usize, w: usize, c: usize| image[(h * 9 + w) * 3 + c];
    let pixels = (0..2 * 4 * 3).map(|i| (i / 12, i / 3 % 4, i % 3));
    let largest =
        |(h, w, c)| [0, 1].iter().flat_map(|dh| [0, 1].map(|dw| at(2 * h + dh, 2 * w + dw, c))).fold(0.0, f32::max);
    let expected: Vec<f32> = pixels.map(largest).collect();
    assert_eq!(outputs(features().layer("pool", MaxPooling2D::new([2, 2]))), expected);
}

#[test]
fn a_layer_that_reshapes_can_be_replaced() {
    let builder = Network::builder([5, 4, 2]).layer("conv", Conv2D::new(3, [3, 3])).layer("rows", Rows(6));
    let network = builder.build(1).expect("it fits");
    assert_eq!((network.nodes().len(), network.output().dims()), (1, &[6, 1, 3][..]));
    let cut = network.replace_head("rows").expect("it does no work").build(1).expect("it fits");
    assert_eq!(cut.output().dims(), [3, 2, 3]);
}
