//! A subset of a data set, borrowed as bytes and read as floats.

use thawline_cifar::Images;
use thawline_tensor::{
    Shape,
    nn::{Examples, Inputs},
};

use crate::{models, record::data::ClassRecord};

#[derive(Clone)]
pub struct Selection<'a> {
    images: &'a Images,
    /// Each picture's index in the data set.
    pub indices: Vec<usize>,
    /// Each picture's class, as an index into the list of classes.
    pub labels: Vec<u32>,
    shape: Shape,
}

impl<'a> Selection<'a> {
    /// Selects pictures by their index, each with its class.
    pub fn new(images: &'a Images, chosen: impl IntoIterator<Item = (usize, u32)>) -> Self {
        let (indices, labels) = chosen.into_iter().unzip();
        Selection { images, indices, labels, shape: Shape::from(models::INPUT) }
    }

    pub fn examples(&self) -> Examples<'a> {
        Examples::new(self.clone(), self.labels.clone())
    }

    /// The bytes of one picture, as in the data set.
    pub fn pixels(&self, position: usize) -> &'a [u8; 3072] {
        self.images.get(self.indices[position]).pixels
    }
}

impl Inputs for Selection<'_> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        self.images.get(self.indices[index]).write_nhwc(into);
    }
}

/// The pictures with the given labels, as examples for a network. A picture's class is its label's index in the list.
/// Two disjoint lists split a data set by class.
///
/// ```
/// use thawline::data::{open, selection};
/// use thawline_drawings::Size;
///
/// let pictures = open::draw(1, Size { train: 20, test: 10 })?;
/// let [source, target] = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]].map(|half| selection::examples(pictures.train(), &half));
/// assert_eq!(source.len() + target.len(), 20);
/// assert!(target.labels().iter().all(|&class| class < 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn examples<'a>(images: &'a Images, labels: &[u8]) -> Examples<'a> {
    Selection::new(images, chosen(images, |label| labels.iter().position(|&other| other == label))).examples()
}

/// The indices of the pictures of some classes, each with the index of its class in the list.
pub fn of_classes(images: &Images, classes: &[ClassRecord]) -> impl Iterator<Item = (usize, u32)> {
    chosen(images, |label| classes.iter().position(|class| class.label == u16::from(label)))
}

/// The indices of the pictures whose label has a place in a list, each with that place.
fn chosen(images: &Images, place: impl Fn(u8) -> Option<usize>) -> impl Iterator<Item = (usize, u32)> {
    images.iter().enumerate().filter_map(move |(index, image)| Some((index, place(image.label)? as u32)))
}
