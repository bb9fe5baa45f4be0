//! The pen: what the drawing functions see of the canvas and the palette.

use crate::canvas::Canvas;
use crate::chance::Chance;
use crate::paint::{Paint, Palette, Texture};
use crate::shapes::Shape;

/// The paints of a figure's body and parts, the ink of its marks, and its outline, if any.
pub struct Pen<'a> {
    canvas: &'a mut Canvas,
    paints: [Paint; 3],
    ink: Paint,
    outline: Option<f32>,
}

impl<'a> Pen<'a> {
    /// A pen for a canvas whose pose is set.
    pub fn new(canvas: &'a mut Canvas, chance: &mut Chance, palette: &Palette) -> Self {
        let [a, b, c] = palette.figure;
        let paints = [(a, b), (b, c), (c, a)].map(|(colour, second)| {
            let second = colour.toward(second, chance.within(0.3, 1.0));
            Paint { colour, second, texture: Texture::choose(chance) }
        });
        let outline = chance.happens(0.5).then(|| canvas.pixel * chance.within(0.7, 1.4));
        Pen { canvas, paints, ink: Paint::plain(palette.ink), outline }
    }

    /// Paints a large part.
    pub fn body(&mut self, shape: impl Shape) {
        self.paint(shape, self.paints[0]);
    }

    /// Paints a part in a different paint from the body.
    pub fn part(&mut self, shape: impl Shape) {
        self.paint(shape, self.paints[1]);
    }

    /// Paints a small part in the third colour, without texture.
    pub fn detail(&mut self, shape: impl Shape) {
        let plain = Paint { texture: Texture::Plain, ..self.paints[2] };
        self.canvas.fill(shape, &plain);
    }

    /// Draws in ink: eyes, strings, seams.
    pub fn mark(&mut self, shape: impl Shape) {
        let ink = self.ink;
        self.canvas.fill(shape, &ink);
    }

    /// A pixel's size in drawing units; lines should not be much thinner.
    pub fn pixel(&self) -> f32 {
        self.canvas.pixel
    }

    fn paint(&mut self, shape: impl Shape, paint: Paint) {
        if let Some(width) = self.outline {
            self.canvas.fill(move |p| shape(p) - width, &self.ink);
        }
        self.canvas.fill(shape, &paint);
    }
}
