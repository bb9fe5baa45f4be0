//! The two networks as tables, and the proof that what was frozen stayed as it was.

use maud::{Markup, html};

use super::number;
use crate::record::{FeaturesRecord, FrozenTensor, LayerRecord, NetworkRecord, RunRecord};

pub(super) fn section(record: &RunRecord) -> Markup {
    html! {
        h2 { "The networks" }
        @for (name, _, model) in record.models() {
            h3 { (name) }
            (summary(&model.network))
        }
        @if let Some(from) = &record.from { (taken_over(from)) }
        h2 { "The frozen weights" }
        (frozen(&record.frozen, record.frozen_unchanged))
    }
}

/// Keras's summary, with each layer's work and memory for one picture.
pub(super) fn summary(network: &NetworkRecord) -> Markup {
    let total = |of: fn(&LayerRecord) -> u64| network.layers.iter().map(of).fold(0, u64::saturating_add);
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "layer" }
                th.left scope="col" { "type" }
                th scope="col" { "output" }
                th scope="col" { "parameters" }
                th scope="col" { "trainable" }
                th scope="col" { "forward pass" }
                th scope="col" { "activations" }
            } }
            tbody { @for layer in &network.layers { tr {
                th scope="row" { (layer.name) }
                td.left { (layer.kind) }
                td { (shape(&layer.output)) }
                td { (number::count(layer.parameters)) }
                td { @if layer.parameters == 0 { "–" } @else if layer.trainable { "yes" } @else { "frozen" } }
                td { (number::flops(layer.flops)) }
                td { (number::bytes(layer.activation_bytes)) }
            } } }
            tfoot { tr {
                th scope="row" colspan="3" {
                    (number::count(network.trainable)) " trainable, " (number::count(network.frozen)) " frozen"
                }
                td { (number::count(network.trainable.saturating_add(network.frozen))) }
                td {}
                td { (number::flops(total(|layer| layer.flops))) }
                td { (number::bytes(total(|layer| layer.activation_bytes))) }
            } }
        } }
    }
}

/// Where the features came from, tensor by tensor.
fn taken_over(from: &FeaturesRecord) -> Markup {
    let shape = |dims: &Option<Vec<usize>>| dims.as_ref().map_or_else(|| "–".to_owned(), |dims| shape(dims));
    html! {
        h3 { "Where model_2's features come from" }
        p { code { (from.path) } ", SHA-256 " code { (from.sha256) } ": " (from.model) ", for "
            (number::listed(from.classes.iter().map(String::as_str))) "." }
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "tensor" }
                th scope="col" { "in the file" }
                th scope="col" { "in model_2" }
                th.left scope="col" {}
            } }
            tbody { @for tensor in &from.tensors { tr {
                th scope="row" { (tensor.name) }
                td { (shape(&tensor.file)) }
                td { (shape(&tensor.here)) }
                td.left { (tensor.fate.words()) }
            } } }
        } }
    }
}

fn shape(output: &[usize]) -> String {
    output.iter().map(|&side| number::count(side as u64)).collect::<Vec<_>>().join(" × ")
}

fn frozen(tensors: &[FrozenTensor], unchanged: bool) -> Markup {
    html! {
        @if tensors.is_empty() {
            p { "Nothing was frozen in this run." }
        } @else {
            p {
                @if unchanged { "Each tensor had the same SHA-256 before model_2's training and after it." }
                @else { strong { "Some tensors changed while they were frozen." } " Their hashes before and after differ:" }
            }
            div.scroll { table.facts { tbody { @for tensor in tensors { tr {
                th scope="row" { (tensor.name) }
                td {
                    code { (tensor.before) }
                    @if tensor.before == tensor.after { " unchanged" } @else { " before" br; code { (tensor.after) } " after" }
                }
            } } } } }
        }
    }
}
