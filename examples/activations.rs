//! What each feature layer of a file computes for some pictures, for scripts that compare it with other programs.
//!
//!     cargo run --release --example activations FEATURES PICTURES [OUT]
//!
//! PICTURES is a safetensors file with the tensor `pictures`, N x H x W x 3 bytes. OUT gets a tensor per layer, N x its
//! shape. Without OUT, prints three lines, each with the seconds that the features of all pictures took and the number
//! of pictures.

use std::{env, fs, path::PathBuf, time::Instant};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use thawline::weights::features::Features;
use thawline_tensor::{Shape, Tensor, nn::Examples};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let (features, pictures, out) = match &arguments[..] {
        [features, pictures] => (features, pictures, None),
        [features, pictures, out] => (features, pictures, Some(out)),
        _ => return Err("expected FEATURES PICTURES [OUT]".into()),
    };
    let features = Features::open(Some(features))?;
    let prefix = features.model().network.prefix();
    let file = fs::read(pictures)?;
    let pictures = SafeTensors::deserialize(&file)?.tensor("pictures")?;
    let pixels: Vec<f32> = pictures.data().iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let count = pictures.shape()[0];
    let Some(out) = out else {
        let examples = Examples::new(Tensor::from_slice(Shape::new(pictures.shape()), &pixels), vec![0; count]);
        for _ in 0..3 {
            let start = Instant::now();
            let features = examples.through(prefix, true)?;
            println!("{:.3} {}", start.elapsed().as_secs_f64(), features.len());
        }
        return Ok(());
    };
    let mut layers = Vec::new();
    let mut x = pixels;
    for node in prefix.nodes() {
        let mut y = vec![0.0; count * node.output().size()];
        node.layer().forward(&x, &mut y);
        let shape = [&[count], node.output().dims()].concat();
        layers.push((node.name(), shape, y.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()));
        x = y;
    }
    let views =
        layers.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    fs::write(out, safetensors::serialize(views, None)?)?;
    Ok(())
}
