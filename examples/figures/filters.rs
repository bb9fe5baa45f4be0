//! What the bundled features have learned: filters of both layers, and the windows of pictures that excite them most.

use thawline::weights::features::Features;
use thawline_drawings::{CLASSES, SEED, SIDE, Split, draw};
use thawline_tensor::nn::Node;

use crate::svg::{Align::Right, Figure, MUTED, PIXEL, TEXT};

/// Filters shown of each layer, at even distances: not chosen by their looks.
const FILTERS: usize = 8;
/// Windows shown of each filter, at most one of each picture.
const WINDOWS: usize = 6;
/// Pictures of each class.
const PICTURES: usize = 200;
/// Red, green and blue, row by row.
type Pixels = Vec<[u8; 3]>;

pub fn filters() -> Figure {
    let features = Features::open(None).expect("the bundled features are a part of the program");
    let model = features.model();
    let is_unseen = |class: &usize| model.metadata.classes.iter().all(|name| name != CLASSES[*class]);
    let pictures: Vec<Pixels> = (0..CLASSES.len())
        .filter(is_unseen)
        .flat_map(|class| (0..PICTURES).map(move |index| picture(class, index)))
        .collect();

    let mut figure = Figure::new(
        660.0,
        654.0,
        "Eight filters of each convolutional layer of the bundled features, and below each the six windows of pictures \
         that excite it most.",
    );
    let mut x: Vec<f32> = pictures.iter().flatten().flatten().map(|&byte| f32::from(byte) / 255.0).collect();
    let mut top = 20.0;
    for node in model.network.prefix().nodes() {
        let mut y = vec![0.0; pictures.len() * node.output().size()];
        node.layer().forward(&x, &mut y);
        x = y;
        let (side, title) = match node.name() {
            "conv2d_1" => (3, "conv2d_1: weights as colours, and the windows that excite each filter most"),
            "conv2d_2" => (6, "conv2d_2 with its pool: the windows that excite each filter most"),
            _ => continue,
        };
        // A filter that few pictures excite says little.
        let count = node.output().dims()[2];
        let filters: Vec<_> = (0..count)
            .map(|filter| (filter, peaks(&x, node, filter, &pictures)))
            .filter(|(_, peaks)| peaks.iter().all(|&(peak, ..)| peak > 0.0))
            .collect();
        figure.bold((20.0, top), Right, TEXT, &format!("{title} ({} of {count} filters)", filters.len()));
        top += 24.0;
        let height = side as f64 * PIXEL;
        let below_weights = if side == 3 { height + 14.0 } else { 0.0 };
        for (column, (filter, peaks)) in filters.iter().step_by(filters.len() / FILTERS).take(FILTERS).enumerate() {
            let left = 20.0 + 78.0 * column as f64;
            if side == 3 {
                figure.pixels((left, top), side, &weights(node, *filter));
            }
            for (row, &(_, at, picture)) in peaks.iter().enumerate() {
                let top = top + below_weights + row as f64 * (height + 4.0);
                figure.pixels((left, top), side, &window(node, at, side, picture));
            }
        }
        top += below_weights + WINDOWS as f64 * (height + 4.0) + 24.0;
    }
    figure.text((20.0, top), Right, MUTED, "Drawings of two classes on which the features were not trained.");
    figure
}

/// A test drawing with its colours side by side.
fn picture(class: usize, index: usize) -> Pixels {
    let planes = draw(SEED, Split::Test, class, index);
    let area = SIDE * SIDE;
    (0..area).map(|i| [planes[i], planes[area + i], planes[2 * area + i]]).collect()
}

/// A filter's weights: grey is 0, a bright channel is a positive weight.
fn weights(node: &Node, filter: usize) -> Pixels {
    let kernel = &node.layer().params()[0].value;
    let filters = node.output().dims()[2];
    let weights: Vec<f32> = kernel.iter().skip(filter).step_by(filters).copied().collect();
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let byte = |weight: f32| (127.5 + 127.5 * weight / largest) as u8;
    weights.chunks_exact(3).map(|rgb| [byte(rgb[0]), byte(rgb[1]), byte(rgb[2])]).collect()
}

/// For each picture, the filter's largest output, its position and the picture, in descending order.
fn peaks<'a>(y: &[f32], node: &Node, filter: usize, pictures: &'a [Pixels]) -> Vec<(f32, usize, &'a Pixels)> {
    let filters = node.output().dims()[2];
    let mut peaks: Vec<_> = (y.chunks_exact(node.output().size()).zip(pictures))
        .map(|(y, picture)| {
            let outputs = y.iter().skip(filter).step_by(filters).enumerate();
            let (at, peak) = outputs.max_by(|a, b| a.1.total_cmp(b.1)).expect("an output has pixels");
            (*peak, at, picture)
        })
        .collect();
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    peaks.truncate(WINDOWS);
    peaks
}

/// The part of a picture that an output pixel depends on. After the pool, neighbours are two pixels apart.
fn window(node: &Node, at: usize, side: usize, picture: &Pixels) -> Pixels {
    let width = node.output().dims()[1];
    let stride = (SIDE - side) / (width - 1);
    let (row, column) = (at / width * stride, at % width * stride);
    (row..row + side).flat_map(|row| picture[row * SIDE + column..][..side].iter().copied()).collect()
}
