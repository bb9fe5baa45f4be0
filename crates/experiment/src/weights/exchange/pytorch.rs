//! Writes a network as PyTorch code, whose modules have the layers' names. Arguments are written out where PyTorch's
//! defaults differ from Keras's.

use thawline_tensor::{Shape, kernels::window::WindowShape};

use super::inputs_of;
use crate::models::{
    Architecture, Layer,
    layers::{Activation, Padding},
};

/// Python code that builds the network as `model` and loads the weights of a file.
pub fn code(architecture: &Architecture, classes: usize, file: &str) -> String {
    let [height, width, channels] = architecture.input();
    let layers = architecture.layers();
    let modules: String = modules(&layers, Shape::from(architecture.input()), classes)
        .into_iter()
        .map(|module| format!("    {module},\n"))
        .collect();
    let class = |name: &str, code: &'static str| if modules.contains(&format!(" {name}(")) { code } else { "" };
    format!(
        "# Takes N x {channels} x {height} x {width} RGB pixels from 0 to 1, returns logits.\n\
         from collections import OrderedDict\n\
         from safetensors.torch import load_file\n\
         from torch import nn\n\n\
         {}{}\
         model = nn.Sequential(OrderedDict([\n{modules}]))\n\
         model.load_state_dict(load_file({}))\n\
         model.eval()",
        class("Residual", RESIDUAL),
        class("Rescaling", RESCALING),
        quoted(file)
    )
}

const RESIDUAL: &str = "class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)

";

const RESCALING: &str = "class Rescaling(nn.Module):
    def __init__(self, scale, offset):
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x):
        scale, offset = (x.new_tensor(numbers).reshape(1, -1, 1, 1) for numbers in (self.scale, self.offset))
        return x * scale + offset

";

/// The modules of some layers, each as a pair of name and module.
fn modules(layers: &[Layer], input: Shape, classes: usize) -> Vec<String> {
    let layers = layers.iter().zip(inputs_of(layers, input, classes));
    let modules = layers.flat_map(|(layer, input)| modules_of(layer, &input, classes));
    modules.map(|(name, module)| format!("({}, {module})", quoted(&name))).collect()
}

/// A Python string literal: JSON's quoting is valid Python.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The modules of a layer, each with its name.
fn modules_of(layer: &Layer, input: &Shape, classes: usize) -> Vec<(String, String)> {
    let name = layer.name().to_owned();
    let channels = input.dims().last().copied().unwrap_or_default();
    let module = match *layer {
        Layer::Conv2D { kernel_size, strides, padding, .. }
        | Layer::DepthwiseConv2D { kernel_size, strides, padding, .. } => {
            let (filters, groups) = match *layer {
                Layer::Conv2D { filters, .. } => (filters, String::new()),
                _ => (channels, format!(", groups={channels}")),
            };
            let conv = |padding: String| {
                format!("nn.Conv2d({channels}, {filters}, {kernel_size:?}, stride={strides:?}{padding}{groups})")
            };
            match border(input, kernel_size, strides, padding) {
                [0, 0, 0, 0] => conv(String::new()),
                [left, right, top, bottom] if (left, top) == (right, bottom) => {
                    conv(format!(", padding=[{top}, {left}]"))
                }
                border => {
                    // PyTorch's own padding is symmetric. No layer's name contains '/', so this name is free.
                    return vec![
                        (format!("{name}/pad"), format!("nn.ZeroPad2d({border:?})")),
                        (name, conv(String::new())),
                    ];
                }
            }
        }
        Layer::MaxPooling2D { pool_size, strides, padding, .. } => {
            let strides = strides.unwrap_or(pool_size);
            let pool = format!("nn.MaxPool2d({pool_size:?}, stride={strides:?})");
            match border(input, pool_size, strides, padding) {
                [0, 0, 0, 0] => pool,
                border => format!("nn.Sequential(nn.ConstantPad2d({border:?}, float(\"-inf\")), {pool})"),
            }
        }
        Layer::AveragePooling2D { pool_size, strides, padding, .. } => {
            let strides = strides.unwrap_or(pool_size);
            let [left, right, top, bottom] = border(input, pool_size, strides, padding);
            let pool = format!("nn.AvgPool2d({pool_size:?}, stride={strides:?}");
            // PyTorch's padding is symmetric. An odd row or column at the end is reached by rounding the number of
            // windows up; at stride 1 by one more row or column at the start, whose window is cut off.
            let cut = [(top, bottom, strides[0]), (left, right, strides[1])]
                .map(|(before, after, stride)| if stride == 1 { after - before } else { 0 });
            let pads = [top + cut[0], left + cut[1]];
            match cut {
                _ if [left, right, top, bottom] == [0; 4] => pool + ")",
                [0, 0] => format!("{pool}, padding={pads:?}, ceil_mode=True, count_include_pad=False)"),
                [rows, columns] => format!(
                    "nn.Sequential({pool}, padding={pads:?}, ceil_mode=True, count_include_pad=False), \
                     nn.ZeroPad2d([-{columns}, 0, -{rows}, 0]))"
                ),
            }
        }
        Layer::BatchNormalization { momentum, epsilon, .. } => {
            let dimensions = if input.as_image().is_some() { "2d" } else { "1d" };
            format!("nn.BatchNorm{dimensions}({channels}, eps={epsilon:?}, momentum=1 - {momentum:?})")
        }
        Layer::GlobalAveragePooling2D { .. } => "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())".to_owned(),
        Layer::Activation { activation: Activation::Relu, .. } => "nn.ReLU()".to_owned(),
        Layer::Activation { activation: Activation::Relu6, .. } => "nn.ReLU6()".to_owned(),
        Layer::Residual { ref layers, .. } => {
            format!("Residual(OrderedDict([{}]))", modules(layers, input.clone(), classes).join(", "))
        }
        Layer::Rescaling { ref scale, ref offset, .. } => format!("Rescaling({scale:?}, {offset:?})"),
        Layer::Activation { activation: Activation::Softmax, .. } => "nn.Softmax(1)".to_owned(),
        Layer::Dropout { rate, .. } => format!("nn.Dropout({rate:?})"),
        Layer::Flatten { .. } => "nn.Flatten()".to_owned(),
        Layer::Dense { units, .. } => format!("nn.Linear({channels}, {})", units.unwrap_or(classes)),
    };
    vec![(name, module)]
}

/// Padding of an image: columns left and right, rows above and below. A convolution pads like a pooling of its kernel
/// size.
fn border(input: &Shape, window: [usize; 2], stride: [usize; 2], padding: Padding) -> [usize; 4] {
    let shape = input.as_image().and_then(|image| WindowShape::new(image, window, stride, padding.into()).ok());
    shape.map_or([0; 4], |s| {
        let after = |out: usize, axis: usize, len: usize, before: usize| {
            ((out - 1) * stride[axis] + window[axis]).saturating_sub(len + before)
        };
        [s.pad_left, after(s.out_w, 1, s.w, s.pad_left), s.pad_top, after(s.out_h, 0, s.h, s.pad_top)]
    })
}
