//! Your own pictures: files of any size in common formats, scaled to the network's input.
//!
//! [`mod@file`] decodes a file, [`folder`] lists a folder of class folders, [`split`] chooses the held-out pictures, and a
//! [`collection`] is all of them, decoded.

mod budget;
pub mod collection;
mod color;
mod decoding;
pub mod file;
pub mod folder;
mod jpeg;
mod kinds;
mod png;
pub mod split;

use thawline_cifar::Image;
use thawline_tensor::{
    Shape,
    nn::{Examples, Inputs},
    threads,
};

use crate::{models, record::run::Pixels, system::failure::Result};

/// Decodes files in parallel; the results are in the order of the paths. Once `stop` returns true, the remaining files
/// are `None`.
pub fn read_all<P: AsRef<std::path::Path> + Sync>(
    paths: &[P],
    stop: impl Fn() -> bool + Send + Sync,
) -> Vec<Option<Result<Box<Pixels>>>> {
    let mut read: Vec<_> = paths.iter().map(|_| None).collect();
    threads::for_each(&mut read[..], |index, slot| {
        if !stop() {
            *slot = Some(file::read(paths[index].as_ref()));
        }
    });
    read
}

/// Pictures and their classes as examples for a network.
pub fn examples<'a>(pictures: Vec<&'a Pixels>, labels: Vec<u32>) -> Examples<'a> {
    Examples::new(Pictures { pictures, shape: Shape::from(models::INPUT) }, labels)
}

struct Pictures<'a> {
    pictures: Vec<&'a Pixels>,
    shape: Shape,
}

impl Inputs for Pictures<'_> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        Image { label: 0, coarse_label: None, pixels: self.pictures[index] }.write_nhwc(into);
    }
}
