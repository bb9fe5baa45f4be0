//! Reads a trained model back from its file: the network with its weights, and the file's metadata.
//!
//! Reading is strict. A file must have a valid seal and exactly the tensors of the network (or of its features) that
//! its metadata describes, each finite and of the right shape. Nothing that is missing is filled in.

use std::{collections::HashSet, path::Path};

use thawline_tensor::{Buffer, nn::Network};

use super::{
    metadata::{self, Metadata, TrainingProgress},
    tensor_file::{self, Dtype, Header, TensorFile, dimensions},
};
use crate::system::{
    console::shown,
    failure::{Failure, Result},
    memory::{Memory, USE_MORE_MEMORY},
    names, number,
};

/// The model's file name in the run folder of `thawline adapt`.
pub const MODEL_FILE: &str = "model.safetensors";

/// A network with trained weights, and its description.
#[derive(Debug)]
pub struct Model {
    pub metadata: Metadata,
    /// The network with the file's weights and frozen layers. If the file holds only features, the other layers have no
    /// weights.
    pub network: Network,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

impl Model {
    /// Reads a file written by [`metadata::to_safetensors`], a [checkpoint](super::checkpoint), or the [`MODEL_FILE`]
    /// of a folder.
    pub fn open(path: &Path) -> Result<Self> {
        open(path, Model::whole).map(|(model, _)| model)
    }

    /// Like [`open`](Self::open), but the file may also hold only features.
    pub fn open_features(path: &Path) -> Result<Self> {
        open(path, Model::of).map(|(model, _)| model)
    }

    /// If the file holds only features, the layers that it has weights for.
    pub fn features_only(&self) -> Option<&[String]> {
        (self.metadata.model == metadata::FEATURES).then_some(&self.metadata.frozen)
    }

    /// Like [`open`](Self::open), from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Model::whole(&TensorFile::parse(bytes)?).map(|(model, _)| model)
    }

    /// Like [`open_features`](Self::open_features), from the bytes of a file.
    pub fn features_from_bytes(bytes: &[u8]) -> Result<Self> {
        Model::of(&TensorFile::parse(bytes)?).map(|(model, _)| model)
    }

    /// The model of a file that must have a head, and the progress of training if the file is a checkpoint.
    pub(crate) fn whole(file: &TensorFile) -> Result<(Self, Option<TrainingProgress>)> {
        let (model, training) = Model::of(file)?;
        match model.features_only() {
            Some(_) => Err(Failure::usage(
                "holds only features, no head; `thawline adapt --from` and `thawline run --from` train one",
            )),
            None => Ok((model, training)),
        }
    }

    fn of(file: &TensorFile) -> Result<(Self, Option<TrainingProgress>)> {
        let metadata: Metadata = file.open_seal(metadata::FORMAT)?;
        let mut network = outline(&metadata, &file.header)?;
        let mut faults = Vec::new();
        let holds = metadata.holds();
        network.update_params(|name, param| {
            if holds(name) {
                match file.values(name, param.shape.dims()) {
                    Ok(values) => param.value = Buffer::from(&values[..]),
                    Err(fault) => faults.push(fault),
                }
            }
        });
        refuse(&faults)?;
        // The moments must be as valid as the weights.
        moments(&metadata, &network)
            .try_for_each(|(name, shape)| file.values(&name, shape).map(drop))
            .map_err(misfit)?;
        let (training, metadata) = (metadata.training.clone(), Metadata { training: None, ..metadata });
        Ok((Model { metadata, network, sha256: file.sha256() }, training))
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        metadata::to_safetensors(&self.network, &self.metadata)
    }
}

/// Opens a file, or the [`MODEL_FILE`] of a folder. The header of a large file must first show that the file matches
/// its own metadata and fits in memory.
pub(crate) fn open<T>(path: &Path, read: impl FnOnce(&TensorFile) -> Result<T>) -> Result<T> {
    let inside = path.join(MODEL_FILE);
    let path = if inside.is_file() { &inside } else { path };
    let file = TensorFile::open(path, |header| {
        let network = outline(&header.metadata(metadata::FORMAT)?, header)?;
        Memory::of_reading(&network, header.file_len()).require("this file", USE_MORE_MEMORY)
    })?;
    read(&file).map_err(|failure| failure.within(&path.display().to_string()))
}

/// The maximum number of parameters of a head that a features file describes but does not contain.
const MAX_NOT_HELD: u64 = 32_000_000;

/// The network that the metadata describes, without weights. Fails unless the header lists exactly its tensors.
fn outline(metadata: &Metadata, header: &Header) -> Result<Network> {
    let wrong = |what: String| Failure::usage(format!("its metadata is inconsistent: {what}"));
    let Metadata { classes, network: architecture, .. } = metadata;
    if classes.is_empty() {
        return Err(wrong("it lists no classes".to_owned()));
    }
    names::check_names(classes).map_err(|reason| Failure::usage(format!("its metadata: {reason}")))?;
    for name in metadata.layers.iter().map(|(name, _)| name).chain([&metadata.model]) {
        names::check_name(name)
            .map_err(|wrong| Failure::usage(format!("its metadata: name \"{}\" {wrong}", shown(name))))?;
    }
    let mut network = architecture.outline(classes.len())?;
    if metadata.input != network.input().dims() {
        let (input, found) = (dimensions(network.input().dims()), dimensions(&metadata.input));
        return Err(wrong(format!("the network takes inputs of {input}, but the metadata says {found}")));
    }
    let layers: Vec<(String, String)> =
        network.summary().rows.into_iter().map(|row| (row.name, row.kind.to_owned())).collect();
    if let Some(((name, kind), found)) = layers.iter().zip(&metadata.layers).find(|(layer, found)| layer != found) {
        return Err(wrong(format!("layer {name} ({kind}) is listed as {} ({})", found.0, found.1)));
    }
    if layers.len() != metadata.layers.len() {
        return Err(wrong(format!(
            "the network has {} layers, but {} are listed",
            layers.len(),
            metadata.layers.len()
        )));
    }
    if metadata.frozen.len() > layers.len() {
        return Err(wrong(format!("{} of {} layers are frozen", metadata.frozen.len(), layers.len())));
    }
    let known: HashSet<&str> = layers.iter().map(|(name, _)| &**name).collect();
    let frozen: HashSet<&str> = metadata.frozen.iter().map(|name| &**name).collect();
    if let Some(unknown) = frozen.difference(&known).min() {
        return Err(wrong(format!("unknown frozen layer '{unknown}'")));
    }
    network.update_params(|name, param| {
        param.trainable = !name.split_once('/').is_some_and(|(layer, _)| frozen.contains(layer));
    });

    let holds = metadata.holds();
    let (held, others): (Vec<_>, Vec<_>) = network.params().partition(|(name, _)| holds(name));
    let not_held: u64 = others.iter().map(|(_, param)| param.shape.size() as u64).sum();
    if not_held > MAX_NOT_HELD {
        return Err(Failure::usage(format!(
            "holds only features, and the head would have {} parameters; expected at most {}: \
             use the file of the whole model",
            number::count(not_held),
            number::count(MAX_NOT_HELD)
        )));
    }
    let tensors = held.iter().map(|(name, param)| (name.clone(), param.shape.dims()));
    let tensors: Vec<_> = tensors.chain(moments(metadata, &network)).collect();
    let mut faults: Vec<String> =
        tensors.iter().filter_map(|(name, shape)| header.require(name, shape, &[Dtype::F32]).err()).collect();
    let expected: HashSet<&str> = tensors.iter().map(|(name, _)| &**name).collect();
    let foreign = header.names().into_iter().filter(|name| !expected.contains(name));
    faults.extend(foreign.map(|name| format!("tensor {name} is not part of the network")));
    refuse(&faults)?;
    Ok(network)
}

/// The names and shapes of the optimizer's moments in a checkpoint.
fn moments<'a>(metadata: &Metadata, network: &'a Network) -> impl Iterator<Item = (String, &'a [usize])> {
    // The optimizer has no moments before its first step.
    let has_moments = metadata.training.as_ref().is_some_and(|progress| progress.optimizer_steps > 0);
    let learned = network.params().filter(move |(_, param)| has_moments && param.is_learned());
    learned.flat_map(|(name, param)| metadata::MOMENTS.map(|moment| (format!("{name}/{moment}"), param.shape.dims())))
}

fn refuse(faults: &[String]) -> Result<()> {
    tensor_file::first_of(faults).map_or(Ok(()), |fault| Err(misfit(fault)))
}

fn misfit(fault: String) -> Failure {
    Failure::usage(format!("does not hold the network that it describes: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Architecture, TutorialNetwork};

    fn numbers() -> TutorialNetwork {
        TutorialNetwork { filters: [2, 3], dense: 4, pool: 7, ..TutorialNetwork::default() }
    }

    fn model() -> Model {
        let network = Architecture::from(numbers());
        let mut built = network.build(2, 7).unwrap();
        built.freeze_through("conv2d_1").unwrap();
        let metadata = Metadata::new("model_2", 7, vec!["cat".into(), "dog".into()], &network, &built);
        Model { metadata, network: built, sha256: String::new() }
    }

    /// A sealed file of a model with changed metadata.
    fn changed(change: &dyn Fn(&mut Metadata)) -> Vec<u8> {
        let mut model = model();
        change(&mut model.metadata);
        model.to_bytes().unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        let failure = Model::from_bytes(bytes).unwrap_err();
        assert_eq!(failure.exit_code(), 2, "{failure}");
        failure.message
    }

    #[test]
    fn a_model_is_read_back_bit_for_bit() {
        let bytes = model().to_bytes().unwrap();
        let read = Model::from_bytes(&bytes).unwrap();
        assert_eq!(read.metadata, model().metadata);
        assert_eq!(read.to_bytes().unwrap(), bytes);
        assert_eq!(
            Metadata::new("model_2", 7, read.metadata.classes.clone(), &read.metadata.network, &read.network),
            read.metadata
        );
        assert_eq!(read.sha256, crate::system::hash::sha256([&bytes]));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = model().to_bytes().unwrap();
        for length in 0..bytes.len() {
            refusal(&bytes[..length]);
        }
        refusal(&[&bytes[..], b"\0"].concat());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = model().to_bytes().unwrap();
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Model::from_bytes(&flipped).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
        }
    }

    #[test]
    fn contradictory_metadata_are_refused() {
        type Change<'a> = &'a dyn Fn(&mut Metadata);
        let cases: [(Change, &str); 14] = [
            (&|m| m.format = 2, "has format 2; this version of the program reads format 1"),
            (&|m| m.classes.clear(), "it lists no classes"),
            (&|m| m.classes[1] = "cat".into(), "metadata: name 2, \"cat\", occurs twice"),
            (&|m| m.classes[0] = "x\u{1b}[31m\ny".into(), r#"name 1, "x\u{1b}[31m\ny", has a control character"#),
            (&|m| m.classes[0] = " cat".into(), "name 1, \" cat\", starts or ends with a space"),
            (&|m| m.classes[0] = String::new(), "name 1, \"\", is empty"),
            (&|m| m.layers[0].0 = "x\n".into(), r#"name "x\n" has a control character"#),
            (&|m| m.classes.push("cow".into()), "tensor dense_2/kernel: expected 4 x 3, found 4 x 2"),
            (&|m| m.input = vec![3, 32, 32], "takes inputs of 32 x 32 x 3, but the metadata says 3 x 32 x 32"),
            (&|m| m.layers[2].1 = "Dense".into(), "layer conv2d_2 (Conv2D) is listed as conv2d_2 (Dense)"),
            (&|m| m.layers.truncate(3), "the network has 11 layers, but 3 are listed"),
            (&|m| m.frozen = vec!["conv2d_9".into()], "unknown frozen layer 'conv2d_9'"),
            (&|m| m.network = TutorialNetwork { dense: 1 << 40, ..numbers() }.into(), "parameters"),
            (
                &|m| m.network = TutorialNetwork { dense: 1 << 20, ..numbers() }.into(),
                "expected 48 x 1048576, found 48 x 4",
            ),
        ];
        for (change, words) in cases {
            let text = refusal(&changed(change));
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn unknown_metadata_fields_are_refused() {
        let listed = |layer: &str| {
            let layers = format!(r#"[{{"type": "Flatten", "name": "f"}}, {layer}]"#);
            format!(r#"{{"network": {{"conv-method": "auto", "layers": {layers}}}}}"#)
        };
        for (changes, words) in [
            (r#"{"mean": 0.5}"#.to_owned(), "its metadata has an unknown field, \"mean\""),
            (r#"{"network": {"conv-method": "auto", "dense": 4}}"#.to_owned(), "has either layers, or all of filters"),
            (r#"{"network": {"conv-method": "auto", "layers": [], "dense": 4}}"#.to_owned(), "has either layers, or"),
            (r#"{"network": {"conv-method": "auto", "layers": [], "bias": 4}}"#.to_owned(), "'bias' is unknown"),
            (listed(r#"{"type": "Dense", "name": "d", "use_bias": false}"#), "'use_bias' is unknown"),
            (listed(r#"{"type": "Conv3D", "name": "d"}"#), "'Conv3D' is unknown"),
            (
                listed(r#"{"type": "Dense", "name": "d", "units": 2, "activation": "relu"}"#),
                "layer 2 'd': list its activation as a separate layer",
            ),
            (
                listed(r#"{"type": "Activation", "name": "d", "activation": "softmax"}"#),
                "layer 2 'd': softmax is part of the loss",
            ),
        ] {
            let mut metadata = serde_json::to_value(model().metadata).unwrap();
            let changes: serde_json::Map<_, _> = serde_json::from_str(&changes).unwrap();
            metadata.as_object_mut().unwrap().extend(changes);
            let text = refusal(&tensor_file::to_bytes([], &metadata).unwrap());
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn other_files_are_recognized() {
        for (bytes, words) in [
            (&b""[..], "is empty (0 bytes)"),
            (b"1234", "it has 4 bytes, but the header's length alone takes 8"),
            (b"\0\0\0\0\0\0\0\0", "its header is not that of a safetensors file"),
            (b"\xff\0\0\0\0\0\0\0{}", "announce a header of 255 bytes, but it has 10 bytes"),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "expected at most 16,000,000"),
            (b"\x04\0\0\0\0\0\0\0no{}", "its header is not that of a safetensors file"),
            (b"\x89HDF\r\n\x1a\n and so on", "it looks like HDF5"),
            (b"PK\x03\x04 and so on", "a zip archive (PyTorch's .pt"),
            (b"PK\x03\x04 a whole header of 26 bytes archive/data.pkl", "it looks like a .pth or .pt of PyTorch"),
            (b"PK\x03\x04 a whole header of 26 bytes metadata.json", "it looks like a .keras"),
            (
                b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
                "an old .pth or .pt of PyTorch; in Python, safetensors.torch.",
            ),
            (b"\x08\x08\x12\x07pytorch", "it looks like an ONNX model"),
            (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer; `git lfs pull`"),
            (b"\x02\0\0\0\0\0\0\0{}", "has no metadata of this program; `thawline import`"),
            (b"\x02\0\0\0\0\0\0\0\xff\xfe", "is damaged: its header is not UTF-8"),
        ] {
            let text = refusal(bytes);
            assert!(text.contains(words), "{words}: {text}");
        }
        // Nested too deeply to be followed.
        let nested = "[".repeat(10_000);
        let deep = [&(nested.len() as u64).to_le_bytes()[..], nested.as_bytes()].concat();
        refusal(&deep);
    }
}
