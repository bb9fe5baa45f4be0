//! The networks of a run as tables, and the hashes of the frozen weights.

use maud::{Markup, html};

use super::{
    page,
    table::{NOTHING, facts, table},
};
use crate::{
    record::run::{CONTROL, FeaturesRecord, FrozenTensor, LayerRecord, NetworkRecord, RunRecord},
    system::number,
};

pub(super) fn section(record: &RunRecord) -> Markup {
    html! {
        h2 { "The networks" }
        @for (name, _, model) in record.models().filter(|model| model.0 != CONTROL) {
            h3 { (name) }
            (summary(&model.network))
        }
        @if let Some(from) = &record.from { (loaded(from)) }
        h2 { "The frozen weights" }
        (frozen(&record.frozen, record.frozen_unchanged))
    }
}

/// A table like Keras's `summary()`, with each layer's work and memory for one picture.
pub(super) fn summary(network: &NetworkRecord) -> Markup {
    let head = ["layer", "type", "output", "parameters", "trainable", "forward pass", "activations"];
    let state = |layer: &LayerRecord| match layer {
        layer if layer.parameters == 0 => NOTHING,
        layer if layer.trainable => "yes",
        _ => "frozen",
    };
    let row = |layer: &LayerRecord| {
        let cells = vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape(&layer.output),
            number::count(layer.parameters),
            state(layer).to_owned(),
            number::flops(layer.flops),
            number::bytes(layer.activation_bytes),
        ];
        ("", cells)
    };
    let sum = |of: fn(&LayerRecord) -> u64| network.layers.iter().map(of).fold(0, u64::saturating_add);
    let total = vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        number::count(network.trainable.saturating_add(network.frozen)),
        String::new(),
        number::flops(sum(|layer| layer.flops)),
        number::bytes(sum(|layer| layer.activation_bytes)),
    ];
    html! {
        (table(2, &head, network.layers.iter().map(row).chain([("total", total)])))
        p.note {
            (number::count(network.trainable)) " trainable, " (number::count(network.frozen)) " frozen parameters. "
            "Forward pass and activations are per picture."
        }
    }
}

/// The features from a file, tensor by tensor.
fn loaded(from: &FeaturesRecord) -> Markup {
    let shape = |dims: &Option<Vec<usize>>| dims.as_ref().map_or_else(|| NOTHING.to_owned(), |dims| shape(dims));
    let rows = from.tensors.iter().map(|tensor| {
        ("", vec![tensor.name.clone(), tensor.outcome.words().to_owned(), shape(&tensor.file), shape(&tensor.model)])
    });
    html! {
        h3 { "Where model_2's features come from" }
        p { code { (from.path) } ", SHA-256 " code { (from.sha256) } ": " (from.model) ", trained on "
            (page::enumeration(from.classes.iter().map(String::as_str))) "." }
        (table(2, &["tensor", "result", "in the file", "in model_2"], rows))
    }
}

fn shape(output: &[usize]) -> String {
    output.iter().map(|&side| number::count(side as u64)).collect::<Vec<_>>().join("\u{a0}×\u{a0}")
}

fn frozen(tensors: &[FrozenTensor], unchanged: bool) -> Markup {
    let hashes = |tensor: &FrozenTensor| {
        html! {
            code { (tensor.before) }
            @if tensor.before == tensor.after { " unchanged" } @else { " before" br; code { (tensor.after) } " after" }
        }
    };
    html! {
        @if tensors.is_empty() {
            p { "Nothing was frozen in this run." }
        } @else {
            p {
                @if unchanged { "Each tensor had the same SHA-256 before and after model_2 was trained." }
                @else { strong { "Some tensors changed while they were frozen." } " Their hashes before and after differ:" }
            }
            (facts(tensors.iter().map(|tensor| (&tensor.name, hashes(tensor)))))
        }
    }
}
