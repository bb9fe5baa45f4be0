//! The transforms of Winograd's method in one dimension, each next to its transpose, with common subexpressions
//! factored out; and the squares of vectors that they are applied to.

use crate::simd::{Grid, GridMut, Simd, Vector};

/// A linear map of I vectors to O vectors. A type, not a closure: a closure is not always compiled with its caller's
/// instructions.
pub trait Transform<const I: usize, const O: usize> {
    /// T d
    fn apply<S: Simd>(simd: S, d: [S::Vector; I]) -> [S::Vector; O];
}

/// N x N vectors: sixteen channels of the pixels of a tile, of the positions of a transformed tile, or of a kernel.
pub type Square<S, const N: usize> = [[<S as Simd>::Vector; N]; N];

/// A square to read.
pub trait ReadSquare<S: Simd> {
    /// The vector at row p, column q.
    fn get(&self, simd: S, p: usize, q: usize) -> S::Vector;
}

/// A square to write.
pub trait WriteSquare<S: Simd> {
    /// Takes the vector at row p, column q.
    fn put(&mut self, simd: S, p: usize, q: usize, x: S::Vector);
}

/// T d T': the transform of a square's columns, then of its rows. Reads and writes as it goes, since the registers do
/// not hold 6 x 6 vectors; squares passed by value made the passes 12 % slower with AVX2.
#[inline(always)]
pub fn both_ways<S: Simd, T: Transform<I, O>, const I: usize, const O: usize>(
    simd: S,
    source: &impl ReadSquare<S>,
    sink: &mut impl WriteSquare<S>,
) {
    let mut columns = [[simd.zero(); O]; I];
    for q in 0..I {
        let mut d = [simd.zero(); I];
        for p in 0..I {
            d[p] = source.get(simd, p, q);
        }
        columns[q] = T::apply(simd, d);
    }
    for p in 0..O {
        let mut d = [simd.zero(); I];
        for q in 0..I {
            d[q] = columns[q][p];
        }
        let row = T::apply(simd, d);
        for q in 0..O {
            sink.put(simd, p, q, row[q]);
        }
    }
}

impl<S: Simd, const N: usize> ReadSquare<S> for Square<S, N> {
    #[inline(always)]
    fn get(&self, _simd: S, p: usize, q: usize) -> S::Vector {
        self[p][q]
    }
}

impl<S: Simd, const N: usize> WriteSquare<S> for Square<S, N> {
    #[inline(always)]
    fn put(&mut self, _simd: S, p: usize, q: usize, x: S::Vector) {
        self[p][q] = x;
    }
}

/// A square to add to.
pub struct Sum<'a>(pub GridMut<'a>);

impl<S: Simd> ReadSquare<S> for Grid<'_> {
    #[inline(always)]
    fn get(&self, simd: S, p: usize, q: usize) -> S::Vector {
        simd.load(self.at(p, q))
    }
}

impl<S: Simd> WriteSquare<S> for GridMut<'_> {
    #[inline(always)]
    fn put(&mut self, _simd: S, p: usize, q: usize, x: S::Vector) {
        x.store(self.at(p, q));
    }
}

impl<S: Simd> WriteSquare<S> for Sum<'_> {
    #[inline(always)]
    fn put(&mut self, simd: S, p: usize, q: usize, x: S::Vector) {
        let sum = self.0.at(p, q);
        (simd.load(sum) + x).store(sum);
    }
}

/// B' d
pub struct Input;

impl Transform<6, 6> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
        let k = |x| simd.splat(x);
        let (even, odd) = (k(-4.0).mul_add(d[2], d[4]), k(-4.0).mul_add(d[1], d[3]));
        let (outer, inner) = (d[4] - d[2], d[3] - d[1]);
        [
            k(4.0).mul_add(d[0], k(-5.0).mul_add(d[2], d[4])),
            even + odd,
            even - odd,
            k(2.0).mul_add(inner, outer),
            k(-2.0).mul_add(inner, outer),
            k(4.0).mul_add(d[1], k(-5.0).mul_add(d[3], d[5])),
        ]
    }
}

/// B v
pub struct InputTransposed;

impl Transform<6, 6> for InputTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, v: [S::Vector; 6]) -> [S::Vector; 6] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (v[1] + v[2], v[1] - v[2]);
        let (sum_2, difference_2) = (v[3] + v[4], v[3] - v[4]);
        [
            k(4.0) * v[0],
            k(-4.0).mul_add(difference_1, k(-2.0).mul_add(difference_2, k(4.0) * v[5])),
            k(-5.0).mul_add(v[0], k(-4.0).mul_add(sum_1, simd.zero() - sum_2)),
            k(-5.0).mul_add(v[5], k(2.0).mul_add(difference_2, difference_1)),
            v[0] + (sum_1 + sum_2),
            v[5],
        ]
    }
}

/// A' m
pub struct Output;

impl Transform<6, 4> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (m[1] + m[2], m[1] - m[2]);
        let (sum_2, difference_2) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + (sum_1 + sum_2),
            k(2.0).mul_add(difference_2, difference_1),
            k(4.0).mul_add(sum_2, sum_1),
            k(8.0).mul_add(difference_2, difference_1 + m[5]),
        ]
    }
}

/// A y
pub struct OutputTransposed;

impl Transform<4, 6> for OutputTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::Vector; 4]) -> [S::Vector; 6] {
        let k = |x| simd.splat(x);
        let (even_1, odd_1) = (y[0] + y[2], y[1] + y[3]);
        let (even_2, odd_2) = (k(4.0).mul_add(y[2], y[0]), k(8.0).mul_add(y[3], k(2.0) * y[1]));
        [y[0], even_1 + odd_1, even_1 - odd_1, even_2 + odd_2, even_2 - odd_2, y[3]]
    }
}

/// G g
pub struct Kernel;

impl Transform<3, 6> for Kernel {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, g: [S::Vector; 3]) -> [S::Vector; 6] {
        let k = |x| simd.splat(x);
        let (even_1, odd_1) = (k(-1.0 / 6.0) * (g[0] + g[2]), k(-1.0 / 6.0) * g[1]);
        let (even_2, odd_2) = (k(1.0 / 24.0).mul_add(g[0], k(1.0 / 6.0) * g[2]), k(1.0 / 12.0) * g[1]);
        [k(0.25) * g[0], even_1 + odd_1, even_1 - odd_1, even_2 + odd_2, even_2 - odd_2, g[2]]
    }
}

/// G' u
pub struct KernelTransposed;

impl Transform<6, 3> for KernelTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, u: [S::Vector; 6]) -> [S::Vector; 3] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (u[1] + u[2], u[1] - u[2]);
        let (sum_2, difference_2) = (u[3] + u[4], u[3] - u[4]);
        let outer = k(-1.0 / 6.0) * sum_1;
        [
            k(0.25).mul_add(u[0], k(1.0 / 24.0).mul_add(sum_2, outer)),
            k(-1.0 / 6.0).mul_add(difference_1, k(1.0 / 12.0) * difference_2),
            k(1.0 / 6.0).mul_add(sum_2, outer + u[5]),
        ]
    }
}
