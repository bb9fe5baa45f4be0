//! Why a network names a class: what each part of a picture adds to the class's logit.

use std::ops::Range;

use thawline_tensor::nn::{Backward, Network, Step};

use crate::{
    data::own::examples,
    record::pictures::{Contributions, Pixels},
};

/// Patches per row and per column of a picture. Each is twice as wide as its distance to the next, so they overlap by
/// half.
const PATCHES: usize = 8;

const GREY: u8 = 128;

/// The class activation map of a linear head: what each position in the features adds to a class's logit. These
/// and the bias, also returned, sum to the logit. `None` if the head is not linear.
///
/// A linear head averages the features in cells and multiplies each average by a weight. So a position adds, over its
/// channels, its value times the logit's gradient there: the weight of its cell over the number of positions in it.
pub fn activation_map(network: &Network, picture: &Pixels, class: usize) -> Option<(Contributions, f32)> {
    let (head, shape) = linear_head(network)?;
    let [_, columns, channels] = shape;
    let pictures = examples(vec![picture], vec![0]);
    let mut x = vec![0.0; network.input().size()];
    pictures.inputs().read(0, &mut x);
    let mut outputs = vec![x];
    for node in network.nodes() {
        let mut y = vec![0.0; node.output().size()];
        node.layer().forward(&outputs[outputs.len() - 1], &mut y);
        outputs.push(y);
    }
    let mut gradient = vec![0.0; network.output().size()];
    gradient[class] = 1.0;
    for at in head.clone().rev() {
        let (x, y) = (&outputs[at][..], &outputs[at + 1][..]);
        let mut dx = vec![0.0; x.len()];
        network.nodes()[at].layer().backward(Backward {
            x,
            y,
            saved: &[],
            dy: &mut gradient,
            dx: Some(&mut dx),
            gradient: None,
            accumulate: false,
            step: Step { seed: 0, step: 0, example: 0 },
        });
        gradient = dx;
    }
    let positions = outputs[head.start].chunks_exact(channels).zip(gradient.chunks_exact(channels));
    let values = positions.map(|(x, dx)| x.iter().zip(dx).map(|(x, dx)| x * dx).sum()).collect();
    let bias = network.nodes()[head.end - 1].layer().params().iter().find(|param| param.name == "bias")?.value[class];
    Some((Contributions { columns, values }, bias))
}

/// The nodes of a linear head, and the shape of the features that it pools: H, W, C.
fn linear_head(network: &Network) -> Option<(Range<usize>, [usize; 3])> {
    let rows = network.summary().rows;
    let (last, rows) = rows.split_last().filter(|(last, _)| last.kind == "Dense")?;
    let is_linear = |kind: &str| ["AveragePooling2D", "GlobalAveragePooling2D", "Flatten"].contains(&kind);
    let first = rows.iter().rposition(|row| !is_linear(row.kind)).map_or(0, |features| features + 1);
    // A head of the whole network pools the pictures themselves.
    let features = if first == 0 { network.input() } else { &rows[first - 1].output };
    let of_head = |name: &str| name == last.name || rows[first..].iter().any(|row| row.name == name);
    let nodes = network.nodes();
    let start = nodes.iter().position(|node| of_head(node.name()))?;
    Some((start..nodes.len(), features.as_image()?))
}

/// Why a class was named for a picture.
#[derive(Debug)]
pub struct Explanation {
    pub file: String,
    pub picture: Box<Pixels>,
    /// The most likely classes and their probabilities; the first is explained.
    pub classes: Vec<(String, f32)>,
    /// The class activation map of a linear head, and its bias.
    pub map: Option<(Contributions, f32)>,
    pub occlusion: Contributions,
}

/// How much a class's logit falls when a grey patch hides a part of the picture: a check on the map, and possible for
/// any network.
pub fn occlusion(network: &Network, picture: &Pixels, class: usize) -> Contributions {
    let plane = picture.len() / 3;
    let side = plane.isqrt();
    let step = side as f32 / PATCHES as f32;
    // A patch is centred on its cell, and cut off at the picture's border.
    let reach =
        |cell: usize| ((cell as f32 - 0.5) * step).max(0.0) as usize..(((cell as f32 + 1.5) * step) as usize).min(side);
    let hidden = |cell: usize| {
        let mut hidden = picture.to_vec();
        for plane in hidden.chunks_exact_mut(plane) {
            reach(cell / PATCHES).for_each(|row| plane[row * side..][reach(cell % PATCHES)].fill(GREY));
        }
        hidden
    };
    let hidden: Vec<Vec<u8>> = (0..PATCHES * PATCHES).map(hidden).collect();
    let pictures: Vec<&Pixels> = std::iter::once(picture).chain(hidden.iter().map(|hidden| &hidden[..])).collect();
    let labels = vec![0; pictures.len()];
    let predictions = network.predict(&examples(pictures, labels));
    let mut logits = predictions.logits().data().chunks_exact(network.output().size()).map(|logits| logits[class]);
    let whole = logits.next().expect("the whole picture comes first");
    Contributions { columns: PATCHES, values: logits.map(|logit| whole - logit).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Architecture, ConvMethod, INPUT, Layer, Listed, TutorialNetwork};

    fn picture() -> Vec<u8> {
        (0..3 * 32 * 32_usize).map(|at| (at * at % 251) as u8).collect()
    }

    #[test]
    fn the_positions_of_a_map_and_the_bias_sum_to_the_logit() {
        let tutorial = Architecture::from(TutorialNetwork { filters: [2, 3], ..TutorialNetwork::default() });
        // The last row and column of the 4 x 4 cells are half as wide as the others.
        let mut network = tutorial.with_linear_head(5).unwrap().build(5, 7).unwrap();
        network.update_params(|name, param| {
            if name == "dense_1/bias" {
                param.value.copy_from_slice(&[0.1, 0.2, 0.3, 0.4, 0.5]);
            }
        });
        let picture = picture();
        let predictions = network.predict(&examples(vec![&picture], vec![0]));
        for class in 0..5 {
            let (map, bias) = activation_map(&network, &picture, class).unwrap();
            assert_eq!((map.columns, map.values.len()), (14, 14 * 14));
            let (sum, logit) = (map.values.iter().sum::<f32>() + bias, predictions.logits().data()[class]);
            assert!((sum - logit).abs() < 1e-5 * (1.0 + logit.abs()), "class {class}: {sum} instead of {logit}");
        }
    }

    #[test]
    fn a_linear_network_has_a_map_of_the_pixels() {
        let flatten = Layer::Flatten { name: "flatten_1".to_owned() };
        let dense = Layer::Dense { name: "dense_1".to_owned(), units: None, activation: None };
        let (conv_method, layers) = (ConvMethod::Auto, vec![flatten, dense]);
        let linear = Architecture::Listed(Listed { conv_method, size: INPUT[0], layers, origin: None });
        let network = linear.build(2, 7).unwrap();
        let predictions = network.predict(&examples(vec![&picture()], vec![0]));
        let (map, bias) = activation_map(&network, &picture(), 1).unwrap();
        assert_eq!((map.columns, map.values.len()), (32, 32 * 32));
        let (sum, logit) = (map.values.iter().sum::<f32>() + bias, predictions.logits().data()[1]);
        assert!((sum - logit).abs() < 1e-5 * (1.0 + logit.abs()), "{sum} instead of {logit}");
    }

    #[test]
    fn a_dense_head_has_no_map_but_the_check() {
        let tutorial = Architecture::from(TutorialNetwork { filters: [2, 3], dense: 4, ..TutorialNetwork::default() });
        let network = tutorial.build(2, 7).unwrap();
        assert_eq!(activation_map(&network, &picture(), 0), None);
        let check = occlusion(&network, &picture(), 0);
        assert_eq!((check.columns, check.values.len()), (PATCHES, PATCHES * PATCHES));
        // Hiding a grey part changes nothing.
        assert_eq!(occlusion(&network, &[GREY; 3 * 32 * 32], 1).values, [0.0; PATCHES * PATCHES]);
    }
}
