//! Everything in a picture except its subject: background, pose, clutter, light and grain. All of it is chosen
//! independently of the class.

use crate::canvas::{Canvas, Pose};
use crate::chance::Chance;
use crate::paint::{Colour, Paint, Palette, Texture};
use crate::shapes::{Point, at, convex, disc, rectangle, rim, stroke, toward};

// These constants make the pictures hard to classify.

/// The largest shift from the middle; half the canvas is 1.
const SHIFT: f32 = 0.20;
/// The smallest and the largest scale; at 1 a drawing fills the canvas.
const SCALE: [f32; 2] = [0.60, 0.88];
/// The largest rotation, in full turns.
const TURN: f32 = 0.07;
/// The numbers of clutter shapes behind the figure and in front of it.
const SHAPES_BEHIND: [usize; 2] = [1, 4];
const SHAPES_IN_FRONT: [usize; 2] = [0, 1];
/// The smallest and the largest standard deviation of the grain; black to white is 1.
const GRAIN: [f32; 2] = [0.02, 0.09];

/// A random pose for the figure.
pub fn pose(chance: &mut Chance) -> Pose {
    Pose {
        centre: at(chance.either_side(SHIFT), chance.either_side(SHIFT)),
        scale: chance.within(SCALE[0], SCALE[1]),
        turn: chance.either_side(TURN),
        aspect: chance.within(0.8, 1.2),
        lean: chance.either_side(0.15),
        bend: chance.either_side(0.15),
        mirror: chance.sign(),
    }
}

/// Paints the background in two similar colours: a gradient, a pattern or a hill.
pub fn background(canvas: &mut Canvas, chance: &mut Chance, palette: &Palette) {
    let [colour, second] = palette.ground;
    let direction = toward(chance.within(0.0, 1.0));
    let texture = match chance.below(6) {
        0 | 1 => Texture::Shaded(direction * 0.8),
        2 => Texture::Striped(direction * chance.within(1.0, 2.5)),
        3 => Texture::Chequered(chance.within(0.8, 2.5)),
        4 => Texture::Spotted(chance.within(1.0, 2.5)),
        _ => {
            let radius = chance.within(1.2, 3.0);
            let hill = disc(at(chance.either_side(0.8), radius + chance.within(-0.2, 0.7)), radius);
            canvas.cover(&Paint::plain(colour));
            canvas.fill(hill, &Paint::plain(second));
            return;
        }
    };
    canvas.cover(&Paint { colour, second, texture });
}

/// Draws clutter behind the figure.
pub fn clutter_behind(canvas: &mut Canvas, chance: &mut Chance, palette: &Palette) {
    canvas.pose(&Pose::PLAIN);
    for _ in 0..chance.count(SHAPES_BEHIND[0], SHAPES_BEHIND[1]) {
        let place = at(chance.either_side(1.1), chance.either_side(1.1));
        clutter(canvas, chance, palette, place, 1.0);
    }
}

/// May cover part of the figure with a shape, more likely at its border than at its centre.
pub fn clutter_in_front(canvas: &mut Canvas, chance: &mut Chance, palette: &Palette) {
    canvas.pose(&Pose::PLAIN);
    for _ in 0..chance.count(SHAPES_IN_FRONT[0], SHAPES_IN_FRONT[1]) {
        let place = toward(chance.within(0.0, 1.0)) * chance.within(0.5, 1.1);
        clutter(canvas, chance, palette, place, 0.7);
    }
}

/// A line, ring, disc, box or triangle: the drawings of the ten classes consist of such shapes, too.
fn clutter(canvas: &mut Canvas, chance: &mut Chance, palette: &Palette, place: Point, size: f32) {
    let shades = [palette.figure[0], palette.figure[1], palette.figure[2], palette.ground[0], palette.ink];
    let colour = chance.pick(&shades).toward(chance.pick(&palette.ground), chance.within(0.0, 0.6));
    let paint = Paint { colour, second: chance.pick(&shades), texture: Texture::choose(chance) };
    let turn = chance.within(0.0, 1.0);
    let size = size * chance.within(0.12, 0.4);
    let thin = chance.within(0.05, 0.12);
    let corner = |third: f32| place + toward(turn + third / 3.0) * size;
    match chance.below(6) {
        0 | 1 => canvas.fill(stroke(place, place + toward(turn) * (3.0 * size), thin), &paint),
        2 => canvas.fill(rim(disc(place, size), thin), &paint),
        3 => canvas.fill(disc(place, 0.8 * size), &paint),
        4 => canvas.fill(rectangle(place, at(size, size * chance.within(0.3, 1.0))), &paint),
        _ => canvas.fill(convex([corner(0.0), corner(1.0), corner(2.0)]), &paint),
    }
}

/// One brightness and contrast for the whole picture, and grain on every channel of every pixel.
pub fn light_and_grain(canvas: &mut Canvas, chance: &mut Chance) {
    let grain = chance.within(GRAIN[0], GRAIN[1]);
    let brightness = chance.either_side(0.08);
    let contrast = chance.within(0.75, 1.1);
    let middle = Colour([0.5; 3]);
    for colour in &mut canvas.colours {
        let Colour(lit) = middle.toward(*colour, contrast);
        *colour = Colour(lit.map(|channel| channel + brightness + grain * chance.bell()));
    }
}
