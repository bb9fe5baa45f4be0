//! Weights in safetensors files: each parameter as an `F32` tensor of its shape under its full name, `conv/kernel`.
//! As in Keras, kernels are KH x KW x C x filters (`Conv2D`) or inputs x units (`Dense`); those of `DepthwiseConv2D`
//! are KH x KW x C, without Keras's last dimension of 1.

use std::fs;
use std::io;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use super::network::Network;

/// Why weights cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a valid safetensors file.
    #[error("{path} is not a safetensors file: {source}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// A parameter is missing from the file, or has another shape or type there.
    #[error("{path}: tensor {name}: expected {expected}, found {found}")]
    Tensor {
        /// The file.
        path: String,
        /// The parameter's full name.
        name: String,
        /// The network's shape and type.
        expected: String,
        /// The file's shape and type, or `none`.
        found: String,
    },
}

impl Network {
    /// Writes all parameters to a safetensors file, which appears complete or not at all.
    ///
    /// # Errors
    /// If writing fails.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let path = path.as_ref();
        let refused = |source| WeightsError::Io { action: "write", path: path.display().to_string(), source };
        let tensors = self.params().map(|(name, param)| {
            let bytes: Vec<u8> = param.value.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, param.shape.dims().to_vec(), bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors.iter().map(|(name, dims, bytes)| {
            let view = TensorView::new(Dtype::F32, dims.clone(), bytes)?;
            Ok((name.as_str(), view))
        });
        let bytes = views.collect::<Result<Vec<_>, SafeTensorError>>();
        let bytes = bytes.and_then(|views| safetensors::serialize(views, None));
        let bytes = bytes.map_err(|error| refused(io::Error::other(error)))?;
        drop(tensors);
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path)).map_err(|error| {
            let _ = fs::remove_file(&partial);
            refused(error)
        })
    }

    /// Reads all parameters from a safetensors file. Nothing changes if one is missing or has another shape or type;
    /// other tensors in the file are ignored.
    ///
    /// # Errors
    /// If the file cannot be read, or a parameter is missing or has another shape or type; the error names the first.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let file = path.as_ref();
        let path = file.display().to_string();
        let bytes = fs::read(file);
        let bytes = bytes.map_err(|source| WeightsError::Io { action: "read", path: path.clone(), source })?;
        let tensors = SafeTensors::deserialize(&bytes);
        let tensors = tensors.map_err(|source| WeightsError::Format { path: path.clone(), source })?;
        for (name, param) in self.params() {
            let expected = format!("F32, {}", param.shape);
            let found = match tensors.tensor(&name) {
                Ok(tensor) if tensor.dtype() == Dtype::F32 && tensor.shape() == param.shape.dims() => continue,
                Ok(tensor) => format!("{:?}, {}", tensor.dtype(), crate::Shape::new(tensor.shape())),
                Err(_) => "none".to_owned(),
            };
            return Err(WeightsError::Tensor { path, name, expected, found });
        }
        self.update_params(|name, param| {
            let tensor = tensors.tensor(name).expect("every parameter was found");
            let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            param.value = crate::Buffer::from(&values.collect::<Vec<f32>>()[..]);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Conv2D, Dense, Flatten};

    fn network(units: usize, seed: u64) -> Network {
        let builder = Network::builder([4, 4, 2]).layer("conv", Conv2D::new(3, [3, 3])).layer("flatten", Flatten);
        builder.layer("dense", Dense::new(units)).build(seed).expect("it fits")
    }

    #[test]
    fn saved_weights_load_bit_for_bit_and_mismatches_are_refused() {
        let folder = std::env::temp_dir().join(format!("thawline-tensor-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        let path = folder.join("weights.safetensors");
        let values = |network: &Network| network.params().map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>();
        let (saved, mut loaded) = (network(5, 1), network(5, 2));
        saved.save(&path).expect("there is room");
        loaded.load(&path).expect("it fits");
        assert_eq!(values(&loaded), values(&saved));

        let mut other = network(6, 2);
        let before = values(&other);
        let error = other.load(&path).expect_err("another shape").to_string();
        let words = "weights.safetensors: tensor dense/kernel: expected F32, 12 x 6, found F32, 12 x 5";
        assert!(error.ends_with(words), "{error}");
        assert_eq!(values(&other), before);
        fs::write(&path, "no weights").expect("there is room");
        let error = other.load(&path).expect_err("another format").to_string();
        assert!(error.contains("is not a safetensors file"), "{error}");
        let error = other.load(folder.join("none")).expect_err("no file").to_string();
        assert!(error.starts_with("cannot read ") && error.contains("none: "), "{error}");
        let (unfit, partial) = (folder.join("folder"), folder.join("folder.partial"));
        fs::create_dir(&unfit).expect("there is room");
        let error = saved.save(&unfit).expect_err("a folder is in the way").to_string();
        assert!(error.starts_with("cannot write ") && !partial.exists(), "{error}");
        fs::remove_dir(&unfit).expect("it is empty");
        let smaller = Network::builder([2]).layer("conv", Dense::new(1)).build(0).expect("it fits");
        smaller.save(&path).expect("there is room");
        let error = other.load(&path).expect_err("no such parameter").to_string();
        assert!(error.ends_with("tensor conv/kernel: expected F32, 3 x 3 x 2 x 3, found F32, 2 x 1"), "{error}");
        let mut flat = Network::builder([2]).layer("dense", Dense::new(1)).build(0).expect("it fits");
        let error = flat.load(&path).expect_err("no such parameter").to_string();
        assert!(error.ends_with("tensor dense/kernel: expected F32, 2 x 1, found none"), "{error}");
        let names: Vec<_> =
            fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("a file").file_name()).collect();
        assert_eq!(names, ["weights.safetensors"], "nothing else is left behind");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
