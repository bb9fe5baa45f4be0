//! Weights for PyTorch and for Keras, and back.
//!
//! PyTorch's `state_dict` has `conv2d_1.weight` where we have `conv2d_1/kernel`. Its convolutions are outputs x inputs x
//! height x width where ours, as Keras's, are height x width x inputs x outputs; its dense layers are outputs x inputs
//! where ours are inputs x outputs; and a flattened image lists its channels one after the other, where ours lists its
//! pixels. Keras's names and layouts are ours.

use serde::{Deserialize, Serialize};
use thawline_tensor::nn::{Network, SummaryRow};

use crate::{
    failure::{Failure, Result},
    tensor_file::{self, Tensor, TensorFile},
};

/// Whose names and layouts a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    /// PyTorch's `state_dict`
    Torch,
    /// Keras's layers, each with its weights
    Keras,
}

/// A parameter in another framework.
struct Foreign {
    name: String,
    dims: Vec<usize>,
    /// For each of its values in order, the place of the value in ours.
    order: Vec<usize>,
}

impl Framework {
    /// Whose names a file has.
    ///
    /// # Errors
    /// If it has neither's.
    pub fn of(file: &TensorFile) -> Result<Framework> {
        let has = |end: &str| file.names().iter().any(|name| name.ends_with(end));
        match (has(".weight"), has("/kernel")) {
            (true, false) => Ok(Framework::Torch),
            (false, true) => Ok(Framework::Keras),
            _ => Err(Failure::usage(
                "has neither PyTorch's names, such as conv2d_1.weight, nor Keras's, such as conv2d_1/kernel",
            )),
        }
    }

    /// Where the framework keeps a parameter of a layer.
    fn place(self, rows: &[SummaryRow], name: &str, dims: &[usize]) -> Foreign {
        let in_place =
            |name: String| Foreign { name, dims: dims.to_vec(), order: (0..dims.iter().product()).collect() };
        let Some((layer, param)) = name.rsplit_once('/').filter(|_| self == Framework::Torch) else {
            return in_place(name.to_owned());
        };
        let named = |param: &str| format!("{layer}.{param}");
        match (param, dims) {
            ("kernel", &[height, width, inputs, outputs]) => {
                let at = |o, i, y, x| ((y * width + x) * inputs + i) * outputs + o;
                let order = (0..outputs).flat_map(|o| {
                    (0..inputs)
                        .flat_map(move |i| (0..height).flat_map(move |y| (0..width).map(move |x| at(o, i, y, x))))
                });
                Foreign { name: named("weight"), dims: vec![outputs, inputs, height, width], order: order.collect() }
            }
            ("kernel", &[inputs, outputs]) => {
                // The image that was flattened to these inputs, if any: otherwise a column of one-channel pixels.
                let [height, width, channels] = flattened(rows, layer).unwrap_or([inputs, 1, 1]);
                let at = |o, c, y, x| ((y * width + x) * channels + c) * outputs + o;
                let order = (0..outputs).flat_map(|o| {
                    (0..channels)
                        .flat_map(move |c| (0..height).flat_map(move |y| (0..width).map(move |x| at(o, c, y, x))))
                });
                Foreign { name: named("weight"), dims: vec![outputs, inputs], order: order.collect() }
            }
            ("gamma", _) => in_place(named("weight")),
            ("beta", _) => in_place(named("bias")),
            ("moving_mean", _) => in_place(named("running_mean")),
            ("moving_variance", _) => in_place(named("running_var")),
            _ => in_place(named(param)),
        }
    }
}

/// The shape of the image that reaches a dense layer flattened, whatever dropped or activated it on the way.
fn flattened(rows: &[SummaryRow], layer: &str) -> Option<[usize; 3]> {
    let before = &rows[..rows.iter().position(|row| row.name == layer)?];
    let flatten = before.iter().rposition(|row| row.kind == "Flatten" || row.kind == "Dense")?;
    let image = before[..flatten].last().filter(|_| before[flatten].kind == "Flatten")?;
    image.output.dims().try_into().ok()
}

/// The whole file for a framework; softmax is no part of the network, so it gives logits there too.
///
/// # Errors
/// If the format cannot hold it.
pub fn export(network: &Network, framework: Framework) -> Result<Vec<u8>> {
    let rows = network.summary().rows;
    let tensors: Vec<(Foreign, Vec<f32>)> = network
        .params()
        .map(|(name, param)| {
            let foreign = framework.place(&rows, &name, param.shape.dims());
            let values = foreign.order.iter().map(|&ours| param.value[ours]).collect();
            (foreign, values)
        })
        .collect();
    let tensors = tensors.iter().map(|(foreign, values)| -> Tensor { (foreign.name.clone(), &foreign.dims, values) });
    // What readers of PyTorch's safetensors ask for.
    tensor_file::to_foreign_bytes(tensors, (framework == Framework::Torch).then_some(("format", "pt")))
}

/// Fills a network with the weights of a framework's file.
///
/// # Errors
/// If the file's tensors are not exactly this network's.
pub fn import(network: &mut Network, file: &TensorFile, framework: Framework) -> Result<()> {
    let rows = network.summary().rows;
    let mut faults = Vec::new();
    let mut expected = Vec::new();
    network.update_params(|name, param| {
        let Foreign { name, dims, order } = framework.place(&rows, name, param.shape.dims());
        match file.values(&name, &dims) {
            Ok(values) => order.iter().zip(values).for_each(|(&ours, value)| param.value[ours] = value),
            Err(fault) => faults.push(fault),
        }
        expected.push(name);
    });
    // PyTorch counts the batches of a normalisation; nothing here does.
    let counts = |name: &str| name.ends_with(".num_batches_tracked");
    let foreign = file.names().into_iter().filter(|name| !expected.iter().any(|known| known == name) && !counts(name));
    faults.extend(foreign.map(|name| format!("tensor {name} belongs to no layer")));
    match tensor_file::first_of(&faults) {
        None => Ok(()),
        Some(fault) => Err(Failure::usage(format!("does not hold this network: {fault}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Tutorial;

    /// Three rows, five columns would be better; the pictures are square, so the kernels and channels must differ.
    fn network(seed: u64) -> Network {
        Tutorial { filters: [2, 3], kernel: 3, pool: 7, dense: 4, ..Tutorial::default() }.build(5, seed).unwrap()
    }

    fn values(network: &Network) -> Vec<Vec<f32>> {
        network.params().map(|(_, param)| param.value.to_vec()).collect()
    }

    #[test]
    fn what_goes_out_comes_back() {
        for framework in [Framework::Torch, Framework::Keras] {
            let (one, mut other) = (network(1), network(2));
            let bytes = export(&one, framework).unwrap();
            let file = TensorFile::parse(&bytes).unwrap();
            assert_eq!(Framework::of(&file).unwrap(), framework);
            import(&mut other, &file, framework).unwrap();
            assert_eq!(values(&one), values(&other));
        }
    }

    #[test]
    fn torchs_values_are_where_torch_looks_for_them() {
        let network = network(1);
        let bytes = export(&network, Framework::Torch).unwrap();
        let file = TensorFile::parse(&bytes).unwrap();
        let ours = |name: &str| network.params().find(|(other, _)| other == name).unwrap().1.value.to_vec();
        // Output 1, input 0, row 2, column 1 of a 3 x 3 kernel of 2 inputs and 3 outputs.
        let conv = file.values("conv2d_2.weight", &[3, 2, 3, 3]).unwrap();
        assert_eq!(conv[(2 * 3 + 2) * 3 + 1], ours("conv2d_2/kernel")[((2 * 3 + 1) * 2) * 3 + 1]);
        // Unit 3, channel 2, row 1, column 2 of a flattened 4 x 4 image of 3 channels.
        let dense = file.values("dense_1.weight", &[4, 48]).unwrap();
        assert_eq!(dense[3 * 48 + (2 * 4 + 1) * 4 + 2], ours("dense_1/kernel")[((4 + 2) * 3 + 2) * 4 + 3]);
        let last = file.values("dense_2.weight", &[5, 4]).unwrap();
        assert_eq!(last[4 * 4 + 2], ours("dense_2/kernel")[2 * 5 + 4]);
        assert_eq!(file.values("dense_2.bias", &[5]).unwrap(), ours("dense_2/bias"));
    }

    #[test]
    fn another_networks_file_is_refused() {
        let bytes = export(&network(1), Framework::Torch).unwrap();
        let file = TensorFile::parse(&bytes).unwrap();
        let mut wider = Tutorial { filters: [2, 3], pool: 7, dense: 6, ..Tutorial::default() }.build(5, 1).unwrap();
        let failure = import(&mut wider, &file, Framework::Torch).unwrap_err();
        assert!(failure.message.contains("tensor dense_1.weight: expected 6 x 48, found 4 x 48"), "{failure}");
        let failure = import(&mut wider, &file, Framework::Keras).unwrap_err();
        assert!(failure.message.contains("tensor conv2d_1/kernel (3 x 3 x 3 x 2) is missing"), "{failure}");
    }
}
