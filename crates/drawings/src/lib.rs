//! Built-in pictures: ten classes of small drawings, made from a seed, so that the program runs with no data at all.
//!
//! The source half (fish, house, kite, sun, tree) and the target half (boat, flower, key, mushroom, umbrella) have no
//! class in common, but they are made of the same stuff: edges, corners, arcs, rays, bars, patterned areas, the same
//! pens and papers. So what a network learns about seeing on one half is of use on the other, which is the whole point
//! of frozen features. Colours are dealt out without looking at the class; position, size, slant, background, clutter
//! and grain vary. No average gives a class away: where guessing is right 20 % of the time, the nearest class mean is
//! right about 26 % of the time on the pixels, and 57 % on their contrast with the rest of the picture.
//!
//! How hard they are, measured with PyTorch (the tutorial's network and settings in bf16, 3,000 training
//! and 1,000 test pictures a half, 20 epochs; test accuracy after the last one, for picture sets of three seeds):
//!
//! | seed | source half | target half, frozen features of the source half | target half, frozen random features |
//! |---|---|---|---|
//! | 1 | 91.2 % | 91.0 % | 48.6 % |
//! | 2 | 90.3 % | 90.9 % | 58.3 % |
//! | 3 | 91.6 % | 90.5 % | 51.5 % |
//!
//! A picture is a function of (seed, split, class, index) and of nothing else: it has a random stream of its own, and
//! its arithmetic is the same on every machine (`+ - * /` and `sqrt`, and libm's sine instead of the system's).
//! A picture takes some 70 microseconds, the whole default set about half a second.
//!
//! To read on: `shapes` are distances, `canvas` turns them into pixels, `paint` and `pen` colour them, `scene`
//! surrounds them, and `source` and `target` are the ten drawings.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

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

/// Who draws each class.
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

/// The seed of the set that stands in for CIFAR-10 when there is none.
pub const SEED: u64 = 1;

/// The two parts of a data set. No picture of one appears in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To be judged on.
    Test,
}

/// How many pictures a set has, over all ten classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pictures to learn from.
    pub train: usize,
    /// Pictures to be judged on.
    pub test: usize,
}

impl Default for Size {
    /// Enough to mean something, few enough for a first run of under a minute.
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
    scene::scraps_behind(canvas, chance, &palette);
    canvas.pose(&scene::pose(chance));
    DRAWINGS[class](&mut Pen::new(canvas, chance, &palette), chance);
    scene::scraps_before(canvas, chance, &palette);
    scene::light_and_grain(canvas, chance);
    canvas.to_bytes()
}

/// The first `count` pictures of a split with their labels, in a shuffled order that is always the same.
///
/// The classes are balanced: their numbers differ by one at most. Each picture is drawn when it is asked for.
pub fn records(seed: u64, split: Split, count: usize) -> impl ExactSizeIterator<Item = (u8, Pixels)> {
    let mut order: Vec<usize> = (0..count).collect();
    Chance::at(seed, 2 << 60 | split as u64).shuffle(&mut order);
    order.into_iter().map(move |i| {
        let (class, index) = (i % CLASSES.len(), i / CLASSES.len());
        (class as u8, draw(seed, split, class, index))
    })
}
