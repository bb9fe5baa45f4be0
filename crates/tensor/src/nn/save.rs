//! Weights in safetensors files: each parameter as an `F32` tensor of its shape under its full name, `conv/kernel`.
//! As in Keras, kernels are KH x KW x C x filters (`Conv2D`) or inputs x units (`Dense`); those of `DepthwiseConv2D`
//! are KH x KW x C, without Keras's last dimension of 1.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use super::network::Network;
use crate::{Buffer, Shape};

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
    /// Writes all parameters to a safetensors file, which appears complete or not at all: they go to a new file beside
    /// it, which then replaces it.
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
        replace(path, &bytes).map_err(refused)
    }

    /// Reads all parameters from a safetensors file. Nothing changes if one is missing or has another shape or type;
    /// other tensors in the file are ignored.
    ///
    /// # Errors
    /// If the file cannot be read or is not a regular file, there is no memory for the parameters, or one is missing or
    /// has another shape or type; the error names the first.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let file = path.as_ref();
        let path = file.display().to_string();
        let refused = |source| WeightsError::Io { action: "read", path: path.clone(), source };
        let bytes = read(file).map_err(refused)?;
        let tensors = SafeTensors::deserialize(&bytes);
        let tensors = tensors.map_err(|source| WeightsError::Format { path: path.clone(), source })?;
        let mut values = Vec::new();
        for (name, param) in self.params() {
            let expected = format!("F32, {}", param.shape);
            let found = match tensors.tensor(&name) {
                Ok(tensor) if tensor.dtype() == Dtype::F32 && tensor.shape() == param.shape.dims() => {
                    let mut value = Buffer::try_zeros(param.shape.size()).map_err(refused)?;
                    let floats = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
                    value.iter_mut().zip(floats).for_each(|(value, float)| *value = float);
                    values.push(value);
                    continue;
                }
                Ok(tensor) => format!("{:?}, {}", tensor.dtype(), Shape::new(tensor.shape())),
                Err(_) => "none".to_owned(),
            };
            return Err(WeightsError::Tensor { path, name, expected, found });
        }
        let mut values = values.into_iter();
        self.update_params(|_, param| param.value = values.next().expect("every parameter was found"));
        Ok(())
    }
}

/// Replaces a file, or creates it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // `create_new` neither follows a link nor overwrites a file that is not ours.
    let (partial, mut file) = loop {
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}-{}.partial", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match File::create_new(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => break (partial, file?),
        }
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| fs::rename(&partial, path)).inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

/// Reads a regular file: a device may not end, and opening a pipe waits for its writer.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::metadata(path)?.is_file() {
        true => fs::read(path),
        false => Err(io::Error::other("it is not a regular file")),
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
        let name = |n: u32| std::env::temp_dir().join(format!("thawline-tensor-{}-{n}", std::process::id()));
        let folder = (0..1000).map(name).find(|folder| fs::create_dir(folder).is_ok()).expect("a folder for the test");
        let path = folder.join("weights.safetensors");
        let values = |network: &Network| network.params().map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>();
        let (saved, mut loaded) = (network(5, 1), network(5, 2));
        let others = folder.join("weights.safetensors.partial");
        fs::write(&others, "another program's").expect("there is room");
        saved.save(&path).expect("there is room");
        assert_eq!(fs::read(&others).expect("it is still there"), b"another program's");
        fs::remove_file(&others).expect("it is ours");
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
        if cfg!(unix) {
            let error = other.load("/dev/null").expect_err("a device").to_string();
            assert_eq!(error, "cannot read /dev/null: it is not a regular file");
        }
        let unfit = folder.join("folder");
        fs::create_dir(&unfit).expect("there is room");
        let error = saved.save(&unfit).expect_err("a folder is in the way").to_string();
        assert!(error.starts_with("cannot write "), "{error}");
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
