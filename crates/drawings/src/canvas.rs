//! The canvas: 32x32 pixels, and a pose that maps each of them to a point of the drawing.

use crate::paint::{Colour, Paint};
use crate::shapes::{Point, Shape, at, toward};
use crate::{AREA, Pixels, SIDE};

/// How a drawing is placed on the canvas. A drawing fills about -1..1 in both directions.
pub struct Pose {
    /// Position of the drawing's origin on the canvas, which also spans -1..1.
    pub centre: Point,
    /// Canvas units per drawing unit.
    pub scale: f32,
    /// Clockwise, in full turns.
    pub turn: f32,
    /// Horizontal stretch.
    pub aspect: f32,
    /// Horizontal shear, per unit of height.
    pub lean: f32,
    /// Horizontal bend, per squared unit of height.
    pub bend: f32,
    /// +1, or -1 for a mirrored drawing.
    pub mirror: f32,
}

impl Pose {
    /// The drawing's coordinates are the canvas's.
    pub const PLAIN: Pose =
        Pose { centre: at(0.0, 0.0), scale: 1.0, turn: 0.0, aspect: 1.0, lean: 0.0, bend: 0.0, mirror: 1.0 };

    /// The point of the drawing at a point of the canvas.
    fn to_drawing(&self, axis: Point, on_canvas: Point) -> Point {
        let q = (on_canvas - self.centre) * (1.0 / self.scale);
        let (x, y) = (q.dot(axis), q.dot(at(-axis.y, axis.x)));
        at((x / self.aspect + self.lean * y + self.bend * y * y) * self.mirror, y)
    }
}

/// A picture being drawn.
pub struct Canvas {
    pub colours: [Colour; AREA],
    /// Each pixel's centre in the drawing's coordinates.
    points: [Point; AREA],
    /// A pixel's size in drawing units, which is also the width of a smooth edge.
    pub pixel: f32,
}

impl Canvas {
    pub fn new() -> Canvas {
        let mut canvas = Canvas { colours: [Colour([0.0; 3]); AREA], points: [at(0.0, 0.0); AREA], pixel: 0.0 };
        canvas.pose(&Pose::PLAIN);
        canvas
    }

    /// Sets the pose of everything drawn from now on.
    pub fn pose(&mut self, pose: &Pose) {
        const STEP: f32 = 2.0 / SIDE as f32;
        let axis = toward(pose.turn);
        for (i, point) in self.points.iter_mut().enumerate() {
            let middle = at((i % SIDE) as f32 + 0.5, (i / SIDE) as f32 + 0.5);
            *point = pose.to_drawing(axis, middle * STEP - at(1.0, 1.0));
        }
        self.pixel = STEP / pose.scale;
    }

    /// Paints every pixel.
    pub fn cover(&mut self, paint: &Paint) {
        for (colour, &point) in self.colours.iter_mut().zip(&self.points) {
            *colour = paint.at(point);
        }
    }

    /// Paints a shape with an antialiased edge one pixel wide.
    pub fn fill(&mut self, shape: impl Shape, paint: &Paint) {
        let per_pixel = 1.0 / self.pixel;
        for (colour, &point) in self.colours.iter_mut().zip(&self.points) {
            let coverage = 0.5 - shape(point) * per_pixel;
            if coverage > 0.0 {
                *colour = colour.toward(paint.at(point), coverage.min(1.0));
            }
        }
    }

    /// The picture as planar bytes: all reds, all greens, all blues, each row by row.
    pub fn to_bytes(&self) -> Pixels {
        let mut bytes = [0; 3 * AREA];
        for (channel, plane) in bytes.chunks_exact_mut(AREA).enumerate() {
            for (byte, colour) in plane.iter_mut().zip(&self.colours) {
                *byte = (colour.0[channel] * 255.0 + 0.5) as u8; // `as` clamps to 0..=255
            }
        }
        bytes
    }
}
