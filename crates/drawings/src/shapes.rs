//! Shapes as signed distance functions: a shape maps a point to its distance from the shape, negative inside.
//!
//! Union, intersection and difference are then `min`, `max` and negation, and a pixel's coverage, for antialiased
//! edges, is one subtraction. The classic source is Inigo Quilez, "2D distance functions".

use std::ops::{Add, Mul, Sub};

/// A point or an offset; x points right, y *down*, as pictures are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

/// The point (x, y).
pub const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

/// The point on the unit circle `turns` full turns clockwise from the right.
pub fn toward(turns: f32) -> Point {
    let angle = turns * std::f32::consts::TAU;
    at(libm::cosf(angle), libm::sinf(angle))
}

impl Point {
    /// The scalar product.
    pub fn dot(self, other: Point) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// The distance from the origin.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// This point scaled to length 1.
    pub fn unit(self) -> Point {
        self * (1.0 / self.length())
    }

    /// A quarter turn: the outward normal of an edge, with corners clockwise on the screen.
    fn outward(self) -> Point {
        at(self.y, -self.x)
    }
}

impl Add for Point {
    type Output = Point;
    fn add(self, other: Point) -> Point {
        at(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Point;
    fn sub(self, other: Point) -> Point {
        at(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Point;
    fn mul(self, factor: f32) -> Point {
        at(self.x * factor, self.y * factor)
    }
}

/// A signed distance function.
pub trait Shape: Fn(Point) -> f32 + Copy {}
impl<F: Fn(Point) -> f32 + Copy> Shape for F {}

pub fn disc(centre: Point, radius: f32) -> impl Shape {
    move |p| (p - centre).length() - radius
}

/// An upright ellipse. The distance is exact only at the edge, where it matters.
pub fn ellipse(centre: Point, half: Point) -> impl Shape {
    let thin = half.x.min(half.y);
    move |p| {
        let q = p - centre;
        (at(q.x / half.x, q.y / half.y).length() - 1.0) * thin
    }
}

/// An ellipse whose first axis points along `axis` (of length 1).
pub fn petal(centre: Point, axis: Point, half: Point) -> impl Shape {
    let upright = ellipse(at(0.0, 0.0), half);
    move |p| {
        let q = p - centre;
        upright(at(q.dot(axis), q.dot(axis.outward())))
    }
}

/// An upright rectangle with the given centre and half its width and height.
pub fn rectangle(centre: Point, half: Point) -> impl Shape {
    move |p| {
        let q = p - centre;
        (q.x.abs() - half.x).max(q.y.abs() - half.y)
    }
}

/// A convex polygon with corners clockwise on the screen: the intersection of its edges' half-planes.
pub fn convex<const N: usize>(corners: [Point; N]) -> impl Shape {
    let mut normals = corners;
    for (i, normal) in normals.iter_mut().enumerate() {
        *normal = (corners[(i + 1) % N] - corners[i]).outward().unit();
    }
    move |p| {
        let mut farthest = f32::NEG_INFINITY;
        for i in 0..N {
            farthest = farthest.max((p - corners[i]).dot(normals[i]));
        }
        farthest
    }
}

/// A straight line with round ends.
pub fn stroke(from: Point, to: Point, width: f32) -> impl Shape {
    let along = to - from;
    let per_length = 1.0 / along.dot(along).max(1e-6);
    move |p| {
        let q = p - from;
        let t = (q.dot(along) * per_length).clamp(0.0, 1.0);
        (q - along * t).length() - width / 2.0
    }
}

/// The half-plane above `y`.
pub fn above(y: f32) -> impl Shape {
    move |p| p.y - y
}

/// The half-plane below `y`.
pub fn below(y: f32) -> impl Shape {
    move |p| y - p.y
}

/// The half-plane left of `x`.
pub fn left_of(x: f32) -> impl Shape {
    move |p| p.x - x
}

/// The union of two shapes.
pub fn either(a: impl Shape, b: impl Shape) -> impl Shape {
    move |p| a(p).min(b(p))
}

/// The intersection of two shapes.
pub fn both(a: impl Shape, b: impl Shape) -> impl Shape {
    move |p| a(p).max(b(p))
}

/// The difference `a` minus `b`.
pub fn without(a: impl Shape, b: impl Shape) -> impl Shape {
    move |p| a(p).max(-b(p))
}

/// The edge of a shape as a band of the given width.
pub fn rim(shape: impl Shape, width: f32) -> impl Shape {
    move |p| shape(p).abs() - width / 2.0
}
