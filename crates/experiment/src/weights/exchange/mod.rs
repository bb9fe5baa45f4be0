//! Converts weights to and from PyTorch's and Keras's names and layouts.
//!
//! Keras's names and layouts are this program's own. PyTorch differs:
//!
//! | | here | PyTorch |
//! |---|---|---|
//! | names | `conv2d_1/kernel` | `conv2d_1.weight` |
//! | inside a residual connection | `residual_1/conv2d_2/kernel` | `residual_1.conv2d_2.weight` |
//! | convolution kernels | height, width, inputs, outputs | outputs, inputs, height, width |
//! | depthwise kernels | height, width, channels (Keras: and 1) | channels, 1, height, width |
//! | dense kernels | inputs, outputs | outputs, inputs |
//! | a flattened image | pixel by pixel | channel by channel |
//!
//! Because of the last row, all tensors over the elements of a flattened image are reordered, up to and including the
//! kernel of the next dense layer.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    iter,
};

use serde::{Deserialize, Serialize};
use thawline_tensor::{
    Shape,
    nn::{Network, Param},
};

use super::{
    metadata,
    tensor_file::{self, Tensor, TensorFile, dimensions},
};
use crate::{
    models::{Architecture, Layer},
    system::{
        console::shown,
        failure::{Failure, Kind, Result},
    },
};

pub mod pytorch;

/// The framework whose names and layouts a file has. Shell completions show the variants' comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    /// PyTorch's `state_dict`
    Torch,
    /// Keras's layers, each with its weights
    Keras,
}

/// A parameter as another framework stores it.
struct Foreign {
    name: String,
    dims: Vec<usize>,
    /// For each value in the framework's order, its index in this program's order.
    order: Vec<usize>,
}

impl Framework {
    /// The framework whose names a file has.
    pub fn of(file: &TensorFile) -> Result<Framework> {
        let names = file.header.names();
        let has = |ends: &[&str]| names.iter().any(|name| ends.iter().any(|end| stem(name).ends_with(end)));
        match (has(&[".weight"]), has(&["/kernel", "/gamma"])) {
            (true, _) => Ok(Framework::Torch),
            (false, true) => Ok(Framework::Keras),
            _ => Err(Failure::usage(format!(
                "has neither PyTorch's names, such as conv2d_1.weight, nor Keras's, such as conv2d_1/kernel; {}",
                listing(file)
            ))),
        }
    }
}

/// How the framework stores each parameter of a network, in the network's order.
fn places(network: &Network, architecture: &Architecture, framework: Framework) -> Result<Vec<Foreign>> {
    let (inputs, output) = flattened_images(architecture, network.output().size());
    if framework == Framework::Torch
        && let Some(image @ [height, width, channels]) = output
        && height * width > 1
        && channels > 1
    {
        return Err(Failure::usage(format!(
            "PyTorch cannot represent this network: its outputs are a flattened image ({}), which PyTorch orders differently \
             from the classes; end the network with a Dense layer",
            dimensions(&image)
        )));
    }
    network.params().map(|(name, param)| place(&name, param, framework, &inputs)).collect()
}

fn place(name: &str, param: &Param, framework: Framework, images: &HashMap<String, [usize; 3]>) -> Result<Foreign> {
    let dims = param.shape.dims();
    let (layer, param) = match (framework, name.rsplit_once('/')) {
        (Framework::Torch, Some(parts)) => parts,
        _ => {
            let is_depthwise = name.ends_with("/kernel") && dims.len() == 3;
            let dims = [dims, if is_depthwise { &[1] } else { &[] }].concat();
            return Ok(Foreign { name: name.to_owned(), dims, order: (0..param.value.len()).collect() });
        }
    };
    // PyTorch's order of the layer's input features.
    let features = |len: usize| -> Vec<usize> {
        let [height, width, channels] = images.get(layer).copied().unwrap_or([len, 1, 1]);
        let pixels = height * width;
        (0..channels).flat_map(|c| (0..pixels).map(move |pixel| pixel * channels + c)).collect()
    };
    let (param, dims, order) = match (param, dims) {
        ("kernel", &[height, width, inputs, outputs]) => {
            let at = |o, i, y, x| ((y * width + x) * inputs + i) * outputs + o;
            let order = (0..outputs).flat_map(|o| {
                (0..inputs).flat_map(move |i| (0..height).flat_map(move |y| (0..width).map(move |x| at(o, i, y, x))))
            });
            ("weight", vec![outputs, inputs, height, width], order.collect())
        }
        ("kernel", &[height, width, channels]) => {
            let order = (0..channels).flat_map(|c| (0..height * width).map(move |place| place * channels + c));
            ("weight", vec![channels, 1, height, width], order.collect())
        }
        ("kernel", &[inputs, outputs]) => {
            let features = features(inputs);
            let order = (0..outputs).flat_map(|o| features.iter().map(move |i| i * outputs + o)).collect();
            ("weight", vec![outputs, inputs], order)
        }
        ("bias", &[outputs]) => ("bias", vec![outputs], (0..outputs).collect()),
        ("gamma", &[len]) => ("weight", vec![len], features(len)),
        ("beta", &[len]) => ("bias", vec![len], features(len)),
        ("moving_mean", &[len]) => ("running_mean", vec![len], features(len)),
        ("moving_variance", &[len]) => ("running_var", vec![len], features(len)),
        _ => return Err(Failure::new(Kind::Other, format!("{name} has no counterpart in PyTorch"))),
    };
    Ok(Foreign { name: format!("{}.{param}", layer.replace('/', ".")), dims, order })
}

/// Follows flattened images from `Flatten` through elementwise layers up to the next `Dense`. Returns their shapes: by the
/// name of the layer they are the input of, and that of the network's output.
fn flattened_images(architecture: &Architecture, classes: usize) -> (HashMap<String, [usize; 3]>, Option<[usize; 3]>) {
    let (mut inputs, mut output) = (HashMap::new(), None);
    let layers = architecture.layers();
    for (layer, input) in layers.iter().zip(inputs_of(&layers, Shape::from(architecture.input()), classes)) {
        if let Some(image) = output {
            inputs.insert(layer.name().to_owned(), image);
        }
        match layer {
            Layer::Flatten { .. } => output = input.as_image().or(output),
            Layer::Dense { .. } => output = None,
            // All other layers that take a vector are elementwise: residual connections take images only.
            _ => {}
        }
    }
    (inputs, output)
}

/// The input shape of each of some layers, from that of the first.
fn inputs_of(layers: &[Layer], first: Shape, classes: usize) -> Vec<Shape> {
    let mut shape = Some(first);
    let inputs = layers.iter().map_while(|layer| {
        let input = shape.take()?;
        shape = layer.output(&input, classes);
        Some(input)
    });
    inputs.collect()
}

/// The bytes of a weights file for a framework. The network outputs logits there too, since softmax is not part of it.
pub fn export(network: &Network, architecture: &Architecture, framework: Framework) -> Result<Vec<u8>> {
    let layers = architecture.layers();
    if let Some(layer) = layers.iter().find(|layer| framework == Framework::Torch && has_dot(layer)) {
        return Err(Failure::usage(format!(
            "PyTorch cannot represent this network: layer '{}' has a '.' in its name, or in that of a layer inside it",
            shown(layer.name())
        )));
    }
    let tensors: Vec<(Foreign, Vec<f32>)> = places(network, architecture, framework)?
        .into_iter()
        .zip(network.params())
        .map(|(foreign, (_, param))| {
            let values = foreign.order.iter().map(|&ours| param.value[ours]).collect();
            (foreign, values)
        })
        .collect();
    let tensors = tensors.iter().map(|(foreign, values)| -> Tensor { (foreign.name.clone(), &foreign.dims, values) });
    // Some readers of PyTorch's safetensors require this entry.
    tensor_file::to_foreign_bytes(tensors, (framework == Framework::Torch).then_some(("format", "pt")))
}

/// Whether a layer's name, or that of a layer inside it, has a dot, which separates names in PyTorch.
fn has_dot(layer: &Layer) -> bool {
    layer.name().contains('.') || layer.inside().iter().any(has_dot)
}

/// Fills a network with the weights of a framework's file, which must hold exactly the tensors of this network, or of
/// the layers in `only`. Returns the prefix that all names share, such as `module.` from `DataParallel`; it may be
/// empty.
pub fn import(
    network: &mut Network,
    architecture: &Architecture,
    file: &TensorFile,
    framework: Framework,
    only: Option<&[String]>,
) -> Result<String> {
    let is_of_only = only.map(metadata::of_layers);
    let is_wanted = |name: &str| is_of_only.as_ref().is_none_or(|is_of| is_of(name));
    let names: Vec<bool> = network.params().map(|(name, _)| is_wanted(&name)).collect();
    let places = places(network, architecture, framework)?.into_iter().zip(names);
    let places: Vec<Foreign> = places.filter_map(|(place, is_wanted)| is_wanted.then_some(place)).collect();
    let names: BTreeMap<&str, &str> = file.header.names().into_iter().map(|name| (stem(name), name)).collect();
    let prefix = prefix(&places, &names);
    let found: Vec<Option<&str>> =
        places.iter().map(|place| names.get(format!("{prefix}{}", place.name).as_str()).copied()).collect();
    let taken: HashSet<&str> = found.iter().flatten().copied().collect();
    // PyTorch also stores a batch counter for batch normalization, which has no counterpart here.
    let is_left = |name: &&str| !taken.contains(name) && !name.ends_with(".num_batches_tracked");
    let left: Vec<&str> = file.header.names().into_iter().filter(is_left).collect();

    let (mut missing, mut faults) = (Vec::new(), Vec::new());
    let mut misplaced = left.clone();
    let mut pairs = places.iter().zip(&found);
    network.update_params(|name, param| {
        let Some((place, found)) = is_wanted(name).then(|| pairs.next()).flatten() else { return };
        match found.map(|name| (name, file.float_values(name, &place.dims))) {
            Some((_, Ok(values))) => place.order.iter().zip(values).for_each(|(&i, value)| param.value[i] = value),
            Some((name, Err(fault))) => {
                misplaced.push(name);
                faults.push(fault);
            }
            None => missing.push(place),
        }
    });
    let first = missing.first().map(|place| missing_fault(place, file, &misplaced));
    let others = missing.iter().skip(1).map(|place| format!("tensor {} is missing", place.name));
    let left_over = left.iter().map(|name| format!("tensor {name} is not part of the network"));
    let faults: Vec<String> = first.into_iter().chain(others).chain(faults).chain(left_over).collect();
    match tensor_file::first_of(&faults) {
        None => Ok(prefix.to_owned()),
        Some(fault) if left.is_empty() => Err(Failure::usage(format!("does not hold this network: {fault}"))),
        Some(fault) => Err(Failure::usage(format!("does not hold this network: {fault}; {}", listing(file)))),
    }
}

/// A tensor's name without TensorFlow's suffix.
fn stem(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
}

/// The prefix of all parameter names in a file; empty if no prefix makes the names match.
fn prefix<'a>(places: &[Foreign], names: &BTreeMap<&'a str, &'a str>) -> &'a str {
    let Some(first) = places.first() else { return "" };
    let fits = |prefix: &str| places.iter().all(|place| names.contains_key(format!("{prefix}{}", place.name).as_str()));
    let prefixes = names.keys().filter_map(|name| name.strip_suffix(first.name.as_str()));
    iter::once("")
        .chain(prefixes.filter(|prefix| prefix.ends_with(['.', '/'])))
        .find(|prefix| fits(prefix))
        .unwrap_or("")
}

/// Describes a missing tensor, and names the unexpected one that it most likely is.
fn missing_fault(place: &Foreign, file: &TensorFile, misplaced: &[&str]) -> String {
    let fault = format!("tensor {} ({}) is missing", place.name, dimensions(&place.dims));
    // Enough names for nearly any network, and still quick to compare.
    let comparable = misplaced.iter().take(1000).filter(|name| name.len() < 200);
    let nearest = comparable.min_by_key(|name| {
        let other_shape = file.header.shape(name).is_none_or(|shape| shape != place.dims);
        (other_shape, strsim::levenshtein(name, &place.name))
    });
    let Some(nearest) = nearest else { return fault };
    let shape = dimensions(&file.header.shape(nearest).unwrap_or_default());
    format!("{fault}; the nearest is {nearest} ({shape}): rename it, or rename the layer in your --model file")
}

/// Lists the file's tensors.
fn listing(file: &TensorFile) -> String {
    const SHOWN: usize = 12;
    let names = file.header.names();
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0 => "it has no tensors".to_owned(),
        n if n > SHOWN => format!("its tensors are {shown}, ... ({n} in all)"),
        _ => format!("its tensors are {shown}"),
    }
}

#[cfg(test)]
mod tests;
