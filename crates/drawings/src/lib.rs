//! Built-in pictures: ten classes of small drawings generated from a seed, so that the program runs without a data set.
//!
//! The source classes (fish, house, kite, sun, tree) and the target classes (boat, flower, key, mushroom, umbrella) are
//! drawn from the same elements: edges, corners, arcs, rays, bars, patterned areas. So features trained on one half are
//! useful on the other. Colours are chosen independently of the class; position, size, slant, background, clutter and
//! grain vary. Averages hardly give the class away: chance is 20 %, and the nearest class mean classifies 26 % of the
//! default set's test pictures correctly from the pixels, and 46 to 49 % from the pixels' absolute distance to the mean
//! of their picture's channel.
//!
//! How hard they are, measured with PyTorch (the tutorial's network and settings in bf16, 3,000 training and 1,000 test
//! pictures per half, 20 epochs; test accuracy after the last epoch, on picture sets of three seeds):
//!
//! | seed | source half | target half, frozen features of the source half | target half, frozen random features |
//! |---|---|---|---|
//! | 1 | 91.2 % | 91.0 % | 48.6 % |
//! | 2 | 90.3 % | 90.9 % | 58.3 % |
//! | 3 | 91.6 % | 90.5 % | 51.5 % |
//!
//! A picture is a function of (seed, split, class, index) alone: it has its own random stream, and its arithmetic is
//! the same on every machine (`+ - * /` and `sqrt`, and libm's sine instead of the system's). A picture takes about 70
//! microseconds, the default set about half a second.
//!
//! ```
//! use thawline_drawings::{CLASSES, SEED, Split, draw};
//!
//! let picture = draw(SEED, Split::Train, 3, 0); // the first training picture of a sun
//! assert_eq!((CLASSES[3], picture.len()), ("sun", 3072));
//! ```
#![forbid(unsafe_code)]

// `shapes` are signed distances, `canvas` turns them into pixels, `paint` and `pen` colour them, `scene` adds the
// surroundings, `chance` makes the random choices, and `source` and `target` contain the ten drawings.
mod canvas;
mod chance;
mod paint;
mod pen;
mod scene;
mod shapes;
mod source;
mod target;
#[cfg(test)]
mod tests;

/// The example in the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use crate::canvas::Canvas;
use crate::chance::Chance;
use crate::paint::Palette;
use crate::pen::Pen;

/// Pixels along each side of a picture.
pub const SIDE: usize = 32;

const AREA: usize = SIDE * SIDE;

/// A picture as a CIFAR record stores it: 1,024 reds, 1,024 greens, 1,024 blues, each row by row from the top left.
pub type Pixels = [u8; 3 * AREA];

/// The class names by label: 0-4 are the source half, 5-9 the target half.
pub const CLASSES: [&str; 10] =
    ["fish", "house", "kite", "sun", "tree", "boat", "flower", "key", "mushroom", "umbrella"];

/// The drawing function of each class.
const DRAWINGS: [fn(&mut Pen, &mut Chance); 10] = [
    source::fish,
    source::house,
    source::kite,
    source::sun,
    source::tree,
    target::boat,
    target::flower,
    target::key,
    target::mushroom,
    target::umbrella,
];

/// The seed of the default set.
pub const SEED: u64 = 1;

/// The two parts of a data set. They have no picture in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Training pictures.
    Train,
    /// Test pictures.
    Test,
}

/// The size of a set, over all ten classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of training pictures.
    pub train: usize,
    /// Number of test pictures.
    pub test: usize,
}

impl Default for Size {
    /// Enough for meaningful accuracies, and few enough for a first run of less than a minute.
    fn default() -> Self {
        Size { train: 6_000, test: 2_000 }
    }
}

impl Size {
    /// The number of pictures in one split.
    pub fn of(self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Test => self.test,
        }
    }
}

/// Draws one picture.
///
/// # Panics
/// If `class` is not below 10.
pub fn draw(seed: u64, split: Split, class: usize, index: usize) -> Pixels {
    let chance = &mut Chance::at(seed, (split as u64) << 60 | (class as u64) << 48 | index as u64);
    let palette = Palette::choose(chance);
    let canvas = &mut Canvas::new();
    scene::background(canvas, chance, &palette);
    scene::clutter_behind(canvas, chance, &palette);
    canvas.pose(&scene::pose(chance));
    DRAWINGS[class](&mut Pen::new(canvas, chance, &palette), chance);
    scene::clutter_in_front(canvas, chance, &palette);
    scene::light_and_grain(canvas, chance);
    canvas.to_bytes()
}

/// The first `count` pictures of a split with their labels, in a fixed shuffled order.
///
/// The classes are balanced: their sizes differ by at most one. Each picture is drawn when the iterator reaches it.
pub fn records(seed: u64, split: Split, count: usize) -> impl ExactSizeIterator<Item = (u8, Pixels)> {
    let mut order: Vec<usize> = (0..count).collect();
    Chance::at(seed, 2 << 60 | split as u64).shuffle(&mut order);
    order.into_iter().map(move |i| {
        let (class, index) = (i % CLASSES.len(), i / CLASSES.len());
        (class as u8, draw(seed, split, class, index))
    })
}
