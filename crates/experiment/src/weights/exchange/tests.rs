use thawline_tensor::{Tensor, nn::Examples};

use super::*;
use crate::models::{
    ConvMethod, INPUT, Listed,
    layers::{Activation, Padding},
};

/// A small random number generator with fixed results.
struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn size(&mut self) -> [usize; 2] {
        [1 + self.below(4), 1 + self.below(4)]
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.below(1 << 20) as f32 / (1 << 20) as f32
    }
}

/// A random network of layers of all types that can follow each other, and its number of outputs.
fn random_layers(dice: &mut Dice) -> (Vec<Layer>, usize) {
    let mut shape = Shape::from(INPUT);
    let mut layers = Vec::new();
    let length = 1 + dice.below(9);
    while layers.len() < length || shape.as_vector().is_none() {
        let name = format!("layer_{}", layers.len());
        let padding = if dice.below(2) == 0 { Padding::Valid } else { Padding::Same };
        let layer = match dice.below(if layers.len() < length { 17 } else { 2 }) {
            0 => Layer::GlobalAveragePooling2D { name },
            1 | 2 => Layer::Flatten { name },
            3 => Layer::MaxPooling2D { name, pool_size: dice.size(), strides: Some(dice.size()), padding },
            12 => Layer::AveragePooling2D { name, pool_size: dice.size(), strides: Some(dice.size()), padding },
            13 => Layer::DepthwiseConv2D {
                name,
                kernel_size: dice.size(),
                strides: dice.size(),
                padding,
                activation: None,
            },
            14 => Layer::Activation { name, activation: Activation::Relu6 },
            15 => Layer::Rescaling { name, scale: vec![1.5], offset: vec![-0.5] },
            16 => residual(dice, name, &shape),
            4 | 5 => Layer::Conv2D {
                name,
                filters: 1 + dice.below(5),
                kernel_size: dice.size(),
                strides: dice.size(),
                padding,
                activation: None,
            },
            6 | 7 => Layer::BatchNormalization { name, momentum: 0.9, epsilon: 1e-3 },
            8 => Layer::Dropout { name, rate: 0.25 },
            9 => Layer::Activation { name, activation: Activation::Relu },
            _ => Layer::Dense { name, units: Some(1 + dice.below(20)), activation: None },
        };
        if let Some(output) = layer.output(&shape, 0) {
            shape = output;
            layers.push(layer);
        }
    }
    if dice.below(3) > 0 {
        shape = Shape::from([1 + dice.below(20)]);
        layers.push(Layer::Dense { name: "logits".to_owned(), units: Some(shape.size()), activation: None });
    }
    (layers, shape.size())
}

/// A block with a residual connection, for images of any shape.
fn residual(dice: &mut Dice, name: String, input: &Shape) -> Layer {
    let (strides, padding, activation) = ([1, 1], Padding::Same, None);
    let filters = input.dims().last().copied().unwrap_or(1);
    let layers = vec![
        Layer::DepthwiseConv2D { name: "depthwise".to_owned(), kernel_size: dice.size(), strides, padding, activation },
        Layer::Activation { name: "relu6".to_owned(), activation: Activation::Relu6 },
        Layer::Conv2D { name: "project".to_owned(), filters, kernel_size: dice.size(), strides, padding, activation },
    ];
    Layer::Residual { name, layers }
}

/// Computes the logits in f64 from a framework's file, straight from the definitions. Images are channels-first for
/// PyTorch and channels-last for Keras, so `Flatten` moves nothing.
fn reference(layers: &[Layer], file: &TensorFile, framework: Framework, pixels: &[f32]) -> Vec<f64> {
    let mut x = vec![0.0; pixels.len()];
    let [height, width, channels] = INPUT;
    for (ours, &pixel) in pixels.iter().enumerate() {
        let theirs = match framework {
            Framework::Torch => ours % channels * height * width + ours / channels,
            Framework::Keras => ours,
        };
        x[theirs] = f64::from(pixel);
    }
    reference_from(layers, file, framework, "", Shape::from(INPUT), x)
}

/// The same from the input of some layers; `outer` begins the names of layers inside a residual connection.
fn reference_from(
    layers: &[Layer],
    file: &TensorFile,
    framework: Framework,
    outer: &str,
    mut shape: Shape,
    mut x: Vec<f64>,
) -> Vec<f64> {
    let torch = framework == Framework::Torch;
    let at = |[h, w, c]: [usize; 3], y: usize, x: usize, channel: usize| {
        if torch { (channel * h + y) * w + x } else { (y * w + x) * c + channel }
    };
    let tensor = |layer: &Layer, [torchs, keras]: [&str; 2]| -> Vec<f64> {
        let name = if torch { format!(".{torchs}") } else { format!("/{keras}") };
        let name = format!("{outer}{}{name}", layer.name());
        let values = file.values(&name, &file.shape(&name).unwrap()).unwrap();
        values.into_iter().map(f64::from).collect()
    };
    for layer in layers {
        let output = layer.output(&shape, 0).unwrap();
        let image = shape.as_image().unwrap_or([1, 1, x.len()]);
        let mut y = vec![0.0; output.size()];
        // Visits every element of each window, with the output it belongs to.
        let windows = |size: [usize; 2],
                       stride: [usize; 2],
                       padding,
                       visit: &mut dyn FnMut([usize; 2], [usize; 2], [usize; 2])| {
            let [height, width, _] = output.as_image().unwrap();
            let before = |axis: usize, outputs: usize| match padding {
                Padding::Valid => 0,
                Padding::Same => ((outputs - 1) * stride[axis] + size[axis]).saturating_sub(image[axis]) / 2,
            };
            let before = [before(0, height), before(1, width)];
            for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
                for (kr, kc) in (0..size[0]).flat_map(|kr| (0..size[1]).map(move |kc| (kr, kc))) {
                    let (r, c) = (row * stride[0] + kr, column * stride[1] + kc);
                    if r >= before[0] && c >= before[1] && r - before[0] < image[0] && c - before[1] < image[1] {
                        visit([row, column], [kr, kc], [r - before[0], c - before[1]]);
                    }
                }
            }
        };
        match *layer {
            Layer::Conv2D { filters, kernel_size: [kh, kw], strides, padding, .. } => {
                let ([kernel, bias], inputs) =
                    ([["weight", "kernel"], ["bias", "bias"]].map(|names| tensor(layer, names)), image[2]);
                let output = output.as_image().unwrap();
                for f in 0..filters {
                    for i in 0..output[0] * output[1] {
                        y[at(output, i / output[1], i % output[1], f)] = bias[f];
                    }
                    windows([kh, kw], strides, padding, &mut |[row, column], [kr, kc], [r, c]| {
                        for i in 0..inputs {
                            let weight = if torch {
                                ((f * inputs + i) * kh + kr) * kw + kc
                            } else {
                                ((kr * kw + kc) * inputs + i) * filters + f
                            };
                            y[at(output, row, column, f)] += kernel[weight] * x[at(image, r, c, i)];
                        }
                    });
                }
            }
            Layer::DepthwiseConv2D { kernel_size: [kh, kw], strides, padding, .. } => {
                let [kernel, bias] = [["weight", "kernel"], ["bias", "bias"]].map(|names| tensor(layer, names));
                let (to, channels) = (output.as_image().unwrap(), image[2]);
                for i in 0..y.len() {
                    y[at(to, i / channels / to[1], i / channels % to[1], i % channels)] = bias[i % channels];
                }
                windows([kh, kw], strides, padding, &mut |[row, column], [kr, kc], [r, c]| {
                    for i in 0..channels {
                        let weight = if torch { (i * kh + kr) * kw + kc } else { (kr * kw + kc) * channels + i };
                        y[at(to, row, column, i)] += kernel[weight] * x[at(image, r, c, i)];
                    }
                });
            }
            Layer::Residual { ref layers, .. } => {
                let outer = format!("{outer}{}{}", layer.name(), if torch { "." } else { "/" });
                let inside = reference_from(layers, file, framework, &outer, shape.clone(), x.clone());
                y = x.iter().zip(inside).map(|(x, inside)| x + inside).collect();
            }
            Layer::Rescaling { ref scale, ref offset, .. } => {
                y = x.iter().map(|x| x * f64::from(scale[0]) + f64::from(offset[0])).collect();
            }
            Layer::MaxPooling2D { pool_size, strides, padding, .. } => {
                y.fill(f64::NEG_INFINITY);
                let to = output.as_image().unwrap();
                windows(pool_size, strides.unwrap(), padding, &mut |[row, column], _, [r, c]| {
                    for channel in 0..image[2] {
                        let y = &mut y[at(to, row, column, channel)];
                        *y = y.max(x[at(image, r, c, channel)]);
                    }
                });
            }
            Layer::AveragePooling2D { pool_size, strides, padding, .. } => {
                let (to, mut counts) = (output.as_image().unwrap(), vec![0.0; y.len()]);
                windows(pool_size, strides.unwrap(), padding, &mut |[row, column], _, [r, c]| {
                    for channel in 0..image[2] {
                        y[at(to, row, column, channel)] += x[at(image, r, c, channel)];
                        counts[at(to, row, column, channel)] += 1.0;
                    }
                });
                y.iter_mut().zip(counts).for_each(|(y, count)| *y /= count);
            }
            Layer::GlobalAveragePooling2D { .. } => {
                let pixels = image[0] * image[1];
                for (channel, y) in y.iter_mut().enumerate() {
                    let values = (0..pixels).map(|i| x[at(image, i / image[1], i % image[1], channel)]);
                    *y = values.sum::<f64>() / pixels as f64;
                }
            }
            Layer::BatchNormalization { epsilon, .. } => {
                let names = [
                    ["weight", "gamma"],
                    ["bias", "beta"],
                    ["running_mean", "moving_mean"],
                    ["running_var", "moving_variance"],
                ];
                let [gamma, beta, mean, variance] = names.map(|names| tensor(layer, names));
                for i in 0..image[0] * image[1] * image[2] {
                    let channel = i % image[2];
                    let place = at(image, i / image[2] / image[1], i / image[2] % image[1], channel);
                    y[place] = (x[place] - mean[channel]) / (variance[channel] + epsilon).sqrt() * gamma[channel]
                        + beta[channel];
                }
            }
            Layer::Dense { .. } => {
                let [kernel, bias] = [["weight", "kernel"], ["bias", "bias"]].map(|names| tensor(layer, names));
                let units = y.len();
                for (unit, y) in y.iter_mut().enumerate() {
                    let weight = |i: usize| if torch { kernel[unit * x.len() + i] } else { kernel[i * units + unit] };
                    *y = bias[unit] + x.iter().enumerate().map(|(i, x)| weight(i) * x).sum::<f64>();
                }
            }
            Layer::Activation { activation: Activation::Relu, .. } => y = x.iter().map(|x| x.max(0.0)).collect(),
            Layer::Activation { activation: Activation::Relu6, .. } => {
                y = x.iter().map(|x| x.clamp(0.0, 6.0)).collect();
            }
            Layer::Activation { activation: Activation::Softmax, .. } => unreachable!("softmax is not a layer"),
            Layer::Dropout { .. } | Layer::Flatten { .. } => y.copy_from_slice(&x),
        }
        (shape, x) = (output, y);
    }
    x
}

fn values(network: &Network) -> Vec<Vec<f32>> {
    network.params().map(|(_, param)| param.value.to_vec()).collect()
}

#[test]
fn random_networks_have_the_same_logits_in_each_framework() {
    let mut dice = Dice(1);
    let (mut compared, mut refused) = (0, 0);
    while compared < 120 {
        let (layers, classes) = random_layers(&mut dice);
        let architecture =
            Architecture::Listed(Listed { conv_method: ConvMethod::Auto, size: INPUT[0], layers, origin: None });
        let layers = &*architecture.layers();
        if architecture.outline(classes).unwrap().summary().parameters() > 100_000 {
            continue;
        }
        let mut network = architecture.build(classes, 1).unwrap();
        network.update_params(|name, param| {
            for value in param.value.iter_mut() {
                match name.rsplit_once('/').unwrap().1 {
                    "kernel" => {}
                    "gamma" | "moving_variance" => *value = dice.between(0.5, 2.0),
                    _ => *value = dice.between(-0.5, 0.5),
                }
            }
        });
        let pixels: Vec<f32> = (0..INPUT.iter().product()).map(|_| dice.between(0.0, 1.0)).collect();
        let [height, width, channels] = INPUT;
        let picture = Tensor::from_slice([1, height, width, channels], &pixels);
        let predictions = network.predict(&Examples::new(picture, vec![0]));
        let logits = predictions.logits().data();
        for framework in [Framework::Torch, Framework::Keras] {
            let bytes = match export(&network, &architecture, framework) {
                Ok(bytes) => bytes,
                Err(failure) => {
                    // The classes would be in another order.
                    assert_eq!(framework, Framework::Torch);
                    assert!(!matches!(layers.last(), Some(Layer::Dense { .. })), "{failure}: {layers:?}");
                    assert!(failure.message.contains("outputs are a flattened image"), "{failure}");
                    refused += 1;
                    continue;
                }
            };
            let file = TensorFile::parse(&bytes).unwrap();
            let expected = reference(layers, &file, framework, &pixels);
            let largest = expected.iter().fold(0.0, |largest, logit| logit.abs().max(largest));
            for (logit, expected) in logits.iter().zip(&expected) {
                let difference = (f64::from(*logit) - expected).abs();
                assert!(difference <= 1e-5 * largest, "{framework:?}: {logit}, expected {expected}: {layers:?}");
            }
            let mut back = architecture.build(classes, 2).unwrap();
            import(&mut back, &architecture, &file, framework, None).unwrap();
            assert_eq!(values(&network), values(&back), "{framework:?}: {layers:?}");
            compared += 1;
        }
    }
    assert!(refused > 0, "no network that PyTorch cannot represent was tried");
}

#[test]
fn pytorch_code_pads_like_keras() {
    let image = |layer: &str| {
        let layer: Layer = toml::from_str(&format!("name = \"a\"\n{layer}")).unwrap();
        let layers = vec![layer, Layer::GlobalAveragePooling2D { name: "b".to_owned() }];
        let architecture =
            Architecture::Listed(Listed { conv_method: ConvMethod::Auto, size: INPUT[0], layers, origin: None });
        pytorch::code(&architecture, 3, "a \"file\".safetensors")
    };
    for (layer, words) in [
        ("type = \"Conv2D\"\nfilters = 3\nkernel_size = 3", "(\"a\", nn.Conv2d(3, 3, [3, 3], stride=[1, 1])),"),
        (
            "type = \"Conv2D\"\nfilters = 3\nkernel_size = [3, 5]\npadding = \"same\"",
            "(\"a\", nn.Conv2d(3, 3, [3, 5], stride=[1, 1], padding=[1, 2])),",
        ),
        (
            "type = \"Conv2D\"\nfilters = 3\nkernel_size = [3, 1]\nstrides = 2\npadding = \"same\"",
            "(\"a/pad\", nn.ZeroPad2d([0, 0, 0, 1])),\n    (\"a\", nn.Conv2d(3, 3, [3, 1], stride=[2, 2])),",
        ),
        (
            "type = \"MaxPooling2D\"\npool_size = 3\npadding = \"same\"",
            "nn.Sequential(nn.ConstantPad2d([0, 1, 0, 1], float(\"-inf\")), nn.MaxPool2d([3, 3], stride=[3, 3]))",
        ),
        (
            "type = \"AveragePooling2D\"\npool_size = 3\nstrides = [2, 1]\npadding = \"same\"",
            "nn.AvgPool2d([3, 3], stride=[2, 1], padding=[0, 1], ceil_mode=True, count_include_pad=False)),",
        ),
        (
            "type = \"AveragePooling2D\"\nstrides = 1\npadding = \"same\"",
            "padding=[1, 1], ceil_mode=True, count_include_pad=False), nn.ZeroPad2d([-1, 0, -1, 0])",
        ),
        (
            "type = \"DepthwiseConv2D\"\nkernel_size = 3\npadding = \"same\"",
            "(\"a\", nn.Conv2d(3, 3, [3, 3], stride=[1, 1], padding=[1, 1], groups=3)),",
        ),
        (
            "type = \"Residual\"\nlayers = [{ type = \"Activation\", name = \"c\", activation = \"relu6\" }]",
            "(\"a\", Residual(OrderedDict([(\"c\", nn.ReLU6())]))),",
        ),
        ("type = \"Rescaling\"\nscale = 2", "(\"a\", Rescaling([2.0], [0.0])),"),
        ("type = \"BatchNormalization\"", "(\"a\", nn.BatchNorm2d(3, eps=0.001, momentum=1 - 0.99)),"),
        ("type = \"Dropout\"\nrate = 0.5", "load_file(\"a \\\"file\\\".safetensors\")"),
    ] {
        assert!(image(layer).contains(words), "{words}: {}", image(layer));
    }
}

#[test]
fn all_float_types_are_read() {
    use safetensors::tensor::{Dtype, TensorView};

    let expected = [1.0, -2.0, 65504.0, 0.0, f32::powi(2.0, -24), 0.333_251_95, -f32::powi(2.0, -14)];
    let half: [u16; 7] = [0x3c00, 0xc000, 0x7bff, 0x8000, 0x0001, 0x3555, 0x8400];
    let wide = expected.map(|value| f64::from(value).to_le_bytes()).as_flattened().to_vec();
    let brain = expected.map(|value| (value.to_bits() >> 16) as u16);
    let from_brain = brain.map(|bits| f32::from_bits(u32::from(bits) << 16));
    let bytes = |bits: [u16; 7]| bits.map(u16::to_le_bytes).as_flattened().to_vec();
    for (dtype, data, expected) in [
        (Dtype::F16, bytes(half), Ok(expected)),
        (Dtype::BF16, bytes(brain), Ok(from_brain)),
        (Dtype::F64, wide, Ok(expected)),
        (Dtype::F16, bytes([0x7c00; 7]), Err("value 0 is inf; expected finite numbers")),
        (Dtype::F16, bytes([0xfe00; 7]), Err("value 0 is NaN; expected finite numbers")),
        (Dtype::F64, [1e300; 7].map(f64::to_le_bytes).as_flattened().to_vec(), Err("value 0 is inf")),
        (Dtype::I16, bytes(half), Err("expected F32, F16, BF16 or F64, found I16")),
    ] {
        let view = TensorView::new(dtype, vec![7], &data).unwrap();
        let file = safetensors::serialize([("x", view)], None).unwrap();
        let file = TensorFile::parse(&file).unwrap();
        match (file.float_values("x", &[7]), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{dtype:?}"),
            (Err(found), Err(words)) => assert!(found.contains(words), "{words}: {found}"),
            (found, expected) => panic!("{dtype:?}: {found:?}, expected {expected:?}"),
        }
        // The program's own files have only F32.
        assert!(file.values("x", &[7]).unwrap_err().contains("expected F32, found "));
    }
}
