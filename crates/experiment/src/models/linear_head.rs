//! The layers of a linear head, on top of a network's features.

use thawline_tensor::Shape;

use super::{
    Architecture, Listed, features,
    layers::{Layer, Padding},
};
use crate::system::failure::{Failure, Result};

/// The maximum rows and columns of averaged features. On CIFAR-10's pictures, 4 x 4 cells were two points better than 2
/// x 2, and as good as 7 x 7.
const GRID: usize = 4;

impl Architecture {
    /// The feature layers of this network, then a linear head for this many classes: the features averaged in a grid of
    /// cells, flattened, and one `Dense` layer. The grid replaces a global average: with eleven blocks of
    /// EfficientNet-Lite0 and 40 pictures per class, it is five points better (`docs/own-pictures.md`). `Dropout` is
    /// left out: L-BFGS fits the head without it.
    pub fn with_linear_head(&self, classes: usize) -> Result<Architecture> {
        let kept = |layer: &&Layer| !matches!(layer, Layer::Dropout { .. });
        let mut layers: Vec<Layer> = features(&self.layers()).iter().filter(kept).cloned().collect();
        let is_replaced =
            |layer: &mut Layer| matches!(layer, Layer::Flatten { .. } | Layer::GlobalAveragePooling2D { .. });
        while layers.pop_if(is_replaced).is_some() {}
        let mut shape = Shape::from(self.input());
        for layer in &layers {
            let misfit = || Failure::usage(format!("layer {}: does not fit an input of {shape}", layer.name()));
            shape = layer.output(&shape, classes).ok_or_else(misfit)?;
        }
        if let Some([height, width, _]) = shape.as_image() {
            let pool_size = [height, width].map(|side| side.div_ceil(GRID));
            if pool_size != [1, 1] {
                let name = unused(&layers, "average_pooling2d");
                layers.push(Layer::AveragePooling2D { name, pool_size, strides: None, padding: Padding::Same });
            }
            layers.push(Layer::Flatten { name: unused(&layers, "flatten") });
        }
        layers.push(Layer::Dense { name: unused(&layers, "dense"), units: None, activation: None });
        let [size, ..] = self.input();
        Ok(Architecture::Listed(Listed { conv_method: self.conv_method(), size, layers, origin: None }))
    }
}

/// The first name of this kind that no layer has.
fn unused(layers: &[Layer], stem: &str) -> String {
    let is_unused = |name: &String| layers.iter().all(|layer| layer.name() != name);
    (1..).map(|number| format!("{stem}_{number}")).find(is_unused).expect("some number is unused")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::TutorialNetwork;

    #[test]
    fn features_are_averaged_in_four_by_four_cells() {
        let tutorial = Architecture::from(TutorialNetwork { filters: [2, 3], ..TutorialNetwork::default() });
        let linear = tutorial.with_linear_head(5).unwrap();
        let rows = linear.outline(5).unwrap().summary().rows;
        let layers: Vec<String> = rows.iter().map(|row| format!("{} {}", row.name, row.output)).collect();
        assert_eq!(
            layers[4..],
            ["max_pooling2d_1 14 x 14 x 3", "average_pooling2d_1 4 x 4 x 3", "flatten_1 48", "dense_1 5"]
        );
        // The features of such a network get the same head again.
        assert_eq!(linear.with_linear_head(5).unwrap(), linear);
    }
}
