//! Golden values: computed by PyTorch in double precision and confirmed by Keras.
//! `tests/golden/README.md` in the repository describes the files and how they are made.

use std::path::PathBuf;

use byteorder::{ByteOrder, LittleEndian};
use safetensors::SafeTensors;
use thawline_tensor::Tensor;
use thawline_tensor::nn::{
    Activation, AveragePooling2D, Conv2D, Dense, Examples, Fit, Flatten, MaxPooling2D, Method, Network, Padding, Rule,
};

use crate::chain::{self, STEP, loss_and_dlogits};
use crate::compare::{close, relative_error};
use crate::data::wide;

const METHODS: [Method; 5] = [Method::Auto, Method::Naive, Method::Im2col, Method::Implicit, Method::Winograd];

/// Agreement of single passes, as a share of the largest element.
const PASS: f64 = 1e-5;

/// The largest permitted error of a weight after ten steps of training.
const TRAINING: f64 = 1e-4;

/// The bytes of a golden file.
pub fn golden(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "golden", name].iter().collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Reads tensors of a golden file as numbers.
pub struct Golden<'a>(SafeTensors<'a>);

impl<'a> Golden<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(SafeTensors::deserialize(bytes).expect("a golden file is a safetensors file"))
    }

    fn bytes(&self, name: &str) -> &'a [u8] {
        self.0.tensor(name).expect("the tensor is in the golden file").data()
    }

    pub fn f32s(&self, name: &str) -> Vec<f32> {
        let mut values = vec![0.0; self.bytes(name).len() / 4];
        LittleEndian::read_f32_into(self.bytes(name), &mut values);
        values
    }

    pub fn f64s(&self, name: &str) -> Vec<f64> {
        let mut values = vec![0.0; self.bytes(name).len() / 8];
        LittleEndian::read_f64_into(self.bytes(name), &mut values);
        values
    }

    fn sizes<const N: usize>(&self, name: &str) -> [usize; N] {
        let mut sizes = [0; N];
        LittleEndian::read_i64_into(self.bytes(name), &mut sizes);
        sizes.map(|size| size as usize)
    }

    /// The dimensions of a tensor.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.0.tensor(name).expect("the tensor is in the golden file").shape().to_vec()
    }

    /// The dimensions of one example, without the first.
    fn example(&self, name: &str) -> [usize; 3] {
        self.shape(name)[1..].try_into().expect("images")
    }
}

/// The tutorial's network, narrow, with the golden initial weights.
fn tutorial(golden: &Golden, method: Method) -> Network {
    let mut network = Network::builder([32, 32, 3])
        .layer("conv2d_1", Conv2D::new(8, [3, 3]).method(method))
        .layer("activation_1", Activation::Relu)
        .layer("conv2d_2", Conv2D::new(8, [3, 3]).method(method))
        .layer("activation_2", Activation::Relu)
        .layer("max_pooling2d_1", MaxPooling2D::new([2, 2]))
        .layer("flatten_1", Flatten)
        .layer("dense_1", Dense::new(16))
        .layer("activation_3", Activation::Relu)
        .layer("dense_2", Dense::new(5))
        .build(0)
        .expect("the network fits together");
    network.update_params(|name, param| param.value.copy_from_slice(&golden.f32s(name)));
    network
}

fn pixels(golden: &Golden) -> (Vec<f32>, Vec<u32>) {
    let pixels = golden.bytes("pixels").iter().map(|&byte| f32::from(byte) / 255.0).collect();
    (pixels, golden.bytes("labels").iter().map(|&label| u32::from(label)).collect())
}

#[test]
fn logits_loss_and_every_gradient_agree() {
    let bytes = golden("tutorial_network.safetensors");
    let golden = Golden::new(&bytes);
    let (x, labels) = pixels(&golden);
    for method in METHODS {
        let network = tutorial(&golden, method);
        let pass = chain::pass_at(&network, &x, labels.len(), STEP, |logits| loss_and_dlogits(logits, &labels).1);
        let agrees = |name: &str, actual: &[f32]| {
            close(format!("{name} by {method:?}"), actual, &wide(&golden.f32s(name)), PASS);
        };
        agrees("logits", &pass.logits);
        let (loss, expected) = (loss_and_dlogits(&pass.logits, &labels).0, golden.f64s("loss")[0]);
        assert!((loss - expected).abs() < 1e-6 * expected, "loss by {method:?}: {loss}, not {expected}");
        agrees("gradient/pixels", &pass.dx);
        for (name, gradient) in pass.named_gradients(&network) {
            agrees(&format!("gradient/{name}"), &gradient);
        }
    }
}

#[test]
fn ten_steps_of_training_agree() {
    let bytes = golden("tutorial_network.safetensors");
    let golden = Golden::new(&bytes);
    let (x, labels) = pixels(&golden);
    let examples = Examples::new(Tensor::from_slice([8, 32, 32, 3], &x), labels);
    let rules = [("adam", Rule::ADAM, 0.001), ("sgd", Rule::Sgd { momentum: 0.9 }, 0.01)];
    for (name, rule, rate) in rules {
        for method in METHODS {
            let mut network = tutorial(&golden, method);
            // All eight examples are one batch, so an epoch is one step.
            let options = Fit { epochs: 10, batch_size: 8, rule, rate, ..Fit::default() };
            let history = network.fit(&examples, options).expect("training succeeds");
            let expected = golden.f64s(&format!("{name}/losses"));
            assert_eq!(history.epochs.len(), expected.len());
            for (step, (epoch, expected)) in history.epochs.iter().zip(&expected).enumerate() {
                // A wrong gradient shows in the second loss. Later, Winograd's rounding, ten times that of the others,
                // may push an activation over the kink of a ReLU or a pool; from then on the losses diverge.
                let tolerance = if step > 5 && method == Method::Winograd { 5e-4 } else { 5e-7 };
                let loss = epoch.training.loss;
                assert!(
                    (loss - expected).abs() <= tolerance * expected,
                    "{name} by {method:?}: the loss before step {} is {loss}, not {expected}",
                    step + 1
                );
            }
            for (weight, param) in network.params().filter(|_| name == "adam") {
                let expected = wide(&golden.f32s(&format!("after_adam/{weight}")));
                let worst =
                    param.value.iter().zip(&expected).map(|(&a, e)| (f64::from(a) - e).abs()).fold(0.0, f64::max);
                assert!(worst < TRAINING, "{weight} after ten steps of Adam by {method:?} is off by {worst:.1e}");
            }
        }
    }
}

#[test]
fn every_option_of_convolution_and_pool_agrees() {
    let bytes = golden("layer_options.safetensors");
    let golden = Golden::new(&bytes);
    let names = golden.0.names();
    let mut cases: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix("/output")).collect();
    cases.retain(|case| !case.ends_with("/gradient"));
    assert_eq!(cases.len(), 12, "{cases:?}");
    for case in cases {
        for method in METHODS {
            agrees(&golden, case, method, false);
            if case.ends_with("_same") {
                agrees(&golden, case, method, true);
            }
        }
    }
}

/// One case by one method, if the method computes it; its padding in numbers, or by the word `same`.
fn agrees(golden: &Golden, case: &str, method: Method, same: bool) {
    let of = |tensor: &str| format!("{case}/{tensor}");
    let values = |tensor: &str| golden.f32s(&of(tensor));
    let (stride, image) = (golden.sizes::<2>(&of("stride")), golden.example(&of("input")));
    let padding = |same| if same { Padding::Same } else { Padding::Explicit(golden.sizes(&of("padding"))) };
    let is_pool = case.contains("pool");
    let builder = Network::builder(image);
    let network = if case.starts_with("max_pool") {
        let pool = MaxPooling2D::new(golden.sizes(&of("window"))).stride(stride);
        builder.layer("pool", pool).build(0).expect("the pool fits")
    } else if case.starts_with("average_pool") {
        let pool = AveragePooling2D::new(golden.sizes(&of("window"))).stride(stride).padding(padding(same));
        builder.layer("pool", pool).build(0).expect("the pool fits")
    } else {
        let shape = golden.0.tensor(&of("kernel")).expect("a kernel").shape().to_vec();
        let layer = Conv2D::new(shape[3], [shape[0], shape[1]])
            .stride(stride)
            .dilation(golden.sizes(&of("dilation")))
            .padding(padding(same))
            .method(method);
        match builder.layer("conv", layer).build(0) {
            Ok(mut network) => {
                network.update_params(|name, param| param.value.copy_from_slice(&values(&name["conv/".len()..])));
                network
            }
            Err(_) if matches!(method, Method::Implicit | Method::Winograd) => return,
            Err(error) => panic!("{case} by {method:?}: {error}"),
        }
    };
    let x = values("input");
    let n = x.len() / image.iter().product::<usize>();
    let pass = chain::pass(&network, &x, n, &values("gradient/output"));
    close(format!("{case} by {method:?}: output"), &pass.logits, &wide(&values("output")), PASS);
    close(format!("{case} by {method:?}: input gradient"), &pass.dx, &wide(&values("gradient/input")), PASS);
    if !is_pool {
        let expected = [values("gradient/kernel"), values("gradient/bias")].concat();
        let error = relative_error(&pass.gradients[0], &wide(&expected));
        assert!(error <= PASS, "{case} by {method:?}: the gradients of kernel and bias are off by {error:.1e}");
    }
}
