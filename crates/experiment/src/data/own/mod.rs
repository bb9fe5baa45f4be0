//! A user's own pictures: files of any size in usual formats, made what the network takes.
//!
//! [`mod@file`] decodes one, [`folder`] finds those of a folder of class folders, [`split`] decides which of them are learned
//! from, and a [`collection`] is all of them, read.

mod budget;
pub mod collection;
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

/// Reads files in parallel, and says of each, in their order, what became of it. `stop` is asked before each file;
/// where it is true, the rest is left out.
pub fn read_all<P: AsRef<std::path::Path> + Sync>(
    paths: &[P],
    stop: impl Fn() -> bool + Send + Sync,
) -> Vec<Option<Result<Box<Pixels>>>> {
    let mut read: Vec<_> = paths.iter().map(|_| None).collect();
    threads::for_each(&mut read, |index, slot| {
        if !stop() {
            *slot = Some(file::read(paths[index].as_ref()));
        }
    });
    read
}

/// Pictures and the numbers of their classes, to train with or to be judged on.
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
