//! Colours, textures, and the palette of a picture.

use crate::chance::Chance;
use crate::shapes::{Point, toward};

/// Red, green and blue, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour(pub [f32; 3]);

impl Colour {
    /// From hue (in turns: 0 red, 1/3 green, 2/3 blue), saturation and lightness, piecewise linear.
    pub fn from_hsl(hue: f32, saturation: f32, lightness: f32) -> Colour {
        let chroma = (1.0 - (2.0 * lightness - 1.0).abs()) * saturation;
        let channel = |shift: f32| {
            let turned = hue + shift;
            let distance = (6.0 * (turned - turned.floor()) - 3.0).abs() - 1.0;
            lightness + chroma * (distance.clamp(0.0, 1.0) - 0.5)
        };
        Colour([channel(0.0), channel(2.0 / 3.0), channel(1.0 / 3.0)])
    }

    /// The colour a fraction `t` of the way to `other`.
    pub fn toward(self, other: Colour, t: f32) -> Colour {
        Colour(std::array::from_fn(|c| self.0[c] + (other.0[c] - self.0[c]) * t))
    }
}

/// The colours of a picture. They do not depend on the class: a green sun is as likely as a yellow one.
pub struct Palette {
    /// The two colours of the background.
    pub ground: [Colour; 2],
    /// The figure's body, then its parts; each contrasts with the ground.
    pub figure: [Colour; 3],
    /// Outlines and small marks: nearly black, or nearly white at night.
    pub ink: Colour,
}

impl Palette {
    /// A scene by day (dark on light) or by night (light on dark).
    pub fn choose(chance: &mut Chance) -> Palette {
        let night = chance.happens(0.4);
        let ground_hue = chance.within(0.0, 1.0);
        let ground_lightness = if night { chance.within(0.12, 0.42) } else { chance.within(0.58, 0.90) };
        let ground_saturation = chance.within(0.10, 0.75);
        let ground = [-1.0, 1.0].map(|end| {
            let hue = ground_hue + end * chance.within(0.0, 0.08);
            let lightness = ground_lightness + end * chance.either_side(0.12);
            Colour::from_hsl(hue, ground_saturation, lightness.clamp(0.05, 0.95))
        });
        // The figure differs from the ground in hue and in lightness.
        let away = if night { 1.0 } else { -1.0 };
        let figure = std::array::from_fn(|_| {
            let hue = ground_hue + chance.within(0.15, 0.85);
            let lightness = ground_lightness + away * chance.within(0.24, 0.50);
            Colour::from_hsl(hue, chance.within(0.45, 1.0), lightness.clamp(0.08, 0.94))
        });
        let ink = Colour::from_hsl(chance.within(0.0, 1.0), 0.5, if night { 0.92 } else { 0.10 });
        Palette { ground, figure, ink }
    }
}

/// How a surface looks, in the drawing's coordinates.
#[derive(Clone, Copy)]
pub struct Paint {
    pub colour: Colour,
    pub second: Colour,
    pub texture: Texture,
}

/// Patterns of two colours.
#[derive(Clone, Copy)]
pub enum Texture {
    Plain,
    /// A gradient from the first colour to the second along a direction.
    Shaded(Point),
    /// Bands across a direction; the vector's length is the number of pairs of bands per unit.
    Striped(Point),
    /// Squares; the number of pairs per unit.
    Chequered(f32),
    /// Round spots; their number per unit.
    Spotted(f32),
}

impl Texture {
    /// Any texture, mostly a plain or shaded one.
    pub fn choose(chance: &mut Chance) -> Texture {
        let direction = toward(chance.within(0.0, 1.0));
        match chance.below(8) {
            0..=2 => Texture::Plain,
            3..=4 => Texture::Shaded(direction * 0.7),
            5 => Texture::Striped(direction * chance.within(1.6, 3.0)),
            6 => Texture::Chequered(chance.within(1.8, 3.0)),
            _ => Texture::Spotted(chance.within(1.6, 2.6)),
        }
    }
}

impl Paint {
    /// A single colour.
    pub fn plain(colour: Colour) -> Paint {
        Paint { colour, second: colour, texture: Texture::Plain }
    }

    /// The colour at a point of the drawing.
    #[inline(always)]
    pub fn at(&self, p: Point) -> Colour {
        let t = match self.texture {
            Texture::Plain => return self.colour,
            Texture::Shaded(direction) => 0.5 + 0.5 * p.dot(direction),
            Texture::Striped(direction) => 0.5 + 1.5 * wave(p.dot(direction)),
            Texture::Chequered(density) => 0.5 + 3.0 * wave(density * p.x) * wave(density * p.y),
            Texture::Spotted(density) => wave(density * p.x) + wave(density * p.y) - 0.6,
        };
        self.colour.toward(self.second, t.clamp(0.0, 1.0))
    }
}

/// A triangle wave of period 1 between -1 and 1, a cheap cosine.
#[inline(always)]
fn wave(x: f32) -> f32 {
    1.0 - 4.0 * (x - (x + 0.5).floor()).abs()
}
