//! Your own networks: a TOML file that lists layers in Keras's terms.
//!
//! ```toml
//! layers = [
//!     { type = "Conv2D", filters = 16, kernel_size = 3, activation = "relu" },
//!     { type = "Flatten" },
//!     { type = "Dense" },   # one unit per class
//! ]
//! ```

use std::{collections::HashMap, path::Path};

use serde::Deserialize;
use toml::{Spanned, Table};

use super::{
    ConvMethod, INPUT, Listed, Origin,
    layers::{Activation, Layer},
};
use crate::system::{
    console::shown,
    failure::{Failure, Result},
    input::{self, SETTINGS},
    names::check_name,
    wording,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    size: Option<usize>,
    layers: Vec<Spanned<Table>>,
}

/// The layers in a settings file, whose other keys are read elsewhere.
#[derive(Deserialize)]
struct LayersAmongSettings {
    layers: Vec<Spanned<Table>>,
}

/// Reads the layers of a network. Layers without a name get one: `conv2d_1`, `conv2d_2`, `dense_1`.
pub fn read(path: &Path) -> Result<Listed> {
    parse(path, &input::read_text(path, SETTINGS)?, false)
}

/// Like [`read`], from the text of the file, which may have other keys if `among_settings`.
pub fn parse(path: &Path, text: &str, among_settings: bool) -> Result<Listed> {
    let file = if among_settings {
        toml::from_str::<LayersAmongSettings>(text).map(|file| (None, file.layers))
    } else {
        toml::from_str::<Layers>(text).map(|file| (file.size, file.layers))
    };
    let (size, tables) = file.map_err(|error| misread(path, text, &error))?;
    let listed = listed(&tables, text, path)?;
    Ok(Listed { size: size.unwrap_or(listed.size), ..listed })
}

/// The failure for invalid TOML or unexpected content, with its line.
pub fn misread(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    let reason = match error.span().and_then(|span| text.get(span)) {
        Some(key) if error.message() == "duplicate key" => format!("{key} occurs twice"),
        _ => wording::toml(error.message()),
    };
    Failure::usage(format!("{}, line {line}: {reason}", path.display()))
}

fn listed(tables: &[Spanned<Table>], text: &str, path: &Path) -> Result<Listed> {
    let kind = |table: &Table| table.get("type").and_then(|kind| kind.as_str()).unwrap_or("layer").to_owned();
    let logits = tables.iter().rposition(|table| kind(table.as_ref()) == "Dense");
    let mut layers = Vec::new();
    let mut lines = Vec::new();
    let line_ends: Vec<usize> = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    for (index, table) in tables.iter().enumerate() {
        let line = line_ends.partition_point(|&end| end < table.span().start) + 1;
        let wrong = |reason: &str| {
            Failure::usage(format!("{}, line {line}: {}: {reason}", path.display(), kind(table.as_ref())))
        };
        let layer =
            Layer::deserialize(table.as_ref().clone()).map_err(|error| wrong(&wording::toml(error.message())))?;
        if matches!(layer, Layer::Dense { units: None, .. }) && logits != Some(index) {
            return Err(wrong("units is missing; only the last Dense may omit it"));
        }
        let expanded = expand(layer, index + 1 == tables.len()).map_err(|reason| wrong(&reason))?;
        lines.extend(expanded.iter().map(|_| line));
        layers.extend(expanded);
    }
    give_names(&mut layers);
    Ok(Listed {
        conv_method: ConvMethod::Auto,
        size: INPUT[0],
        layers,
        origin: Some(Origin { path: path.to_owned(), lines }),
    })
}

/// The layers that one entry stands for: the layer and its activation.
fn expand(mut layer: Layer, is_last: bool) -> std::result::Result<Vec<Layer>, String> {
    if layer.name().contains('/') {
        return Err("its name has a '/', which separates a layer's name from a parameter's".to_owned());
    }
    if !layer.name().is_empty() {
        check_name(layer.name()).map_err(|wrong| format!("its name \"{}\" {wrong}", shown(layer.name())))?;
    }
    let activation = match &mut layer {
        Layer::Conv2D { activation, .. }
        | Layer::DepthwiseConv2D { activation, .. }
        | Layer::Dense { activation, .. } => activation.take(),
        Layer::Residual { layers, .. } => {
            let inside = std::mem::take(layers).into_iter().map(|layer| expand(layer, false));
            *layers = inside.collect::<std::result::Result<Vec<_>, _>>()?.concat();
            None
        }
        Layer::Activation { activation: Activation::Softmax, .. } if is_last => return Ok(Vec::new()),
        Layer::Activation { activation: Activation::Softmax, .. } => Some(Activation::Softmax),
        _ => None,
    };
    match activation {
        None => Ok(vec![layer]),
        Some(Activation::Softmax) if is_last => Ok(vec![layer]),
        Some(Activation::Softmax) => Err("softmax is part of the loss and may only come last".to_owned()),
        Some(activation) => Ok(vec![layer, Layer::Activation { name: String::new(), activation }]),
    }
}

/// Names layers as Keras did when the tutorial was written: by type, counted from 1.
fn give_names(layers: &mut [Layer]) {
    fn name_all(layers: &mut [Layer], counts: &mut HashMap<&str, usize>) {
        for layer in layers {
            let stem = layer.stem();
            let count = counts.entry(stem).or_default();
            *count += 1;
            if layer.name().is_empty() {
                *layer.name_mut() = format!("{stem}_{count}");
            }
            if let Layer::Residual { layers, .. } = layer {
                name_all(layers, counts);
            }
        }
    }
    name_all(layers, &mut HashMap::new());
}

/// The line that contains a byte, counted from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1
}
