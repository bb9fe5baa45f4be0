//! Your own pictures: files of any size in common formats, scaled to the network's input.
//!
//! [`mod@file`] decodes a file, [`folder`] lists a folder of class folders, [`split`] chooses the held-out pictures,
//! and a [`collection`] holds all decoded pictures of a folder.

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

use thawline_tensor::{
    Shape,
    nn::{Examples, Inputs},
    threads,
};

use crate::{record::pictures::Pixels, system::failure::Result};

/// Decodes files in parallel to squares of `size` rows and columns. The results are in the order of the paths; once
/// `stop` returns true, the remaining ones are `None`.
pub fn read_all<P: AsRef<std::path::Path> + Sync>(
    paths: &[P],
    size: usize,
    stop: impl Fn() -> bool + Send + Sync,
) -> Vec<Option<Result<Box<Pixels>>>> {
    let mut read: Vec<_> = paths.iter().map(|_| None).collect();
    threads::for_each(&mut read[..], |index, slot| {
        if !stop() {
            *slot = Some(file::read(paths[index].as_ref(), size));
        }
    });
    read
}

/// Pictures of the same size and their classes as examples for a network.
pub fn examples<'a>(pictures: Vec<&'a Pixels>, labels: Vec<u32>) -> Examples<'a> {
    let side = pictures.first().map_or(1, |picture| (picture.len() / 3).isqrt());
    Examples::new(Pictures { pictures, shape: Shape::from([side, side, 3]) }, labels)
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
        let planes = self.pictures[index].chunks_exact(into.len() / 3);
        for (channel, plane) in planes.enumerate() {
            for (value, &byte) in into[channel..].iter_mut().step_by(3).zip(plane) {
                *value = f32::from(byte) / 255.0;
            }
        }
    }
}
