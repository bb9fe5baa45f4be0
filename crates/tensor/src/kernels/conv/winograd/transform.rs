//! The transforms of Winograd's method in one dimension, each beside its transpose, with common terms taken out.

use crate::simd::Simd;

/// A linear map of I vectors to O vectors. A type, not a closure: only so is it sure to be compiled with the
/// instructions of its caller.
pub trait Transform<const I: usize, const O: usize> {
    /// T d
    fn apply<S: Simd>(simd: S, d: [S::V; I]) -> [S::V; O];
}

/// Where the vectors of a square tile are read.
pub trait Source<S: Simd> {
    /// The vector at row p, column q.
    fn get(&self, simd: S, p: usize, q: usize) -> S::V;
}

/// Where the vectors of a transformed tile go.
pub trait Sink<S: Simd> {
    /// Takes the vector at row p, column q.
    fn put(&mut self, simd: S, p: usize, q: usize, v: S::V);
}

impl<S: Simd, const N: usize> Source<S> for [[S::V; N]; N] {
    #[inline(always)]
    fn get(&self, _simd: S, p: usize, q: usize) -> S::V {
        self[p][q]
    }
}

impl<S: Simd, const N: usize> Sink<S> for [[S::V; N]; N] {
    #[inline(always)]
    fn put(&mut self, _simd: S, p: usize, q: usize, v: S::V) {
        self[p][q] = v;
    }
}

/// Applies a one-dimensional transform to the columns of a tile, then to its rows: T d T'. Reads and writes as it goes,
/// since a tile of 6 x 6 vectors is more than the registers hold.
#[inline(always)]
pub fn both_ways<S: Simd, T: Transform<I, O>, const I: usize, const O: usize>(
    simd: S,
    source: &impl Source<S>,
    sink: &mut impl Sink<S>,
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

/// B' d
pub struct Input;

impl Transform<6, 6> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::V; 6]) -> [S::V; 6] {
        let k = |x| simd.splat(x);
        let (even, odd) = (simd.fma(k(-4.0), d[2], d[4]), simd.fma(k(-4.0), d[1], d[3]));
        let (outer, inner) = (simd.sub(d[4], d[2]), simd.sub(d[3], d[1]));
        [
            simd.fma(k(4.0), d[0], simd.fma(k(-5.0), d[2], d[4])),
            simd.add(even, odd),
            simd.sub(even, odd),
            simd.fma(k(2.0), inner, outer),
            simd.fma(k(-2.0), inner, outer),
            simd.fma(k(4.0), d[1], simd.fma(k(-5.0), d[3], d[5])),
        ]
    }
}

/// B v
pub struct InputTransposed;

impl Transform<6, 6> for InputTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, v: [S::V; 6]) -> [S::V; 6] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (simd.add(v[1], v[2]), simd.sub(v[1], v[2]));
        let (sum_2, difference_2) = (simd.add(v[3], v[4]), simd.sub(v[3], v[4]));
        [
            simd.mul(k(4.0), v[0]),
            simd.fma(k(-4.0), difference_1, simd.fma(k(-2.0), difference_2, simd.mul(k(4.0), v[5]))),
            simd.fma(k(-5.0), v[0], simd.fma(k(-4.0), sum_1, simd.sub(simd.zero(), sum_2))),
            simd.fma(k(-5.0), v[5], simd.fma(k(2.0), difference_2, difference_1)),
            simd.add(v[0], simd.add(sum_1, sum_2)),
            v[5],
        ]
    }
}

/// A' m
pub struct Output;

impl Transform<6, 4> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, m: [S::V; 6]) -> [S::V; 4] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (sum_2, difference_2) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(m[0], simd.add(sum_1, sum_2)),
            simd.fma(k(2.0), difference_2, difference_1),
            simd.fma(k(4.0), sum_2, sum_1),
            simd.fma(k(8.0), difference_2, simd.add(difference_1, m[5])),
        ]
    }
}

/// A y
pub struct OutputTransposed;

impl Transform<4, 6> for OutputTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, y: [S::V; 4]) -> [S::V; 6] {
        let k = |x| simd.splat(x);
        let (even_1, odd_1) = (simd.add(y[0], y[2]), simd.add(y[1], y[3]));
        let even_2 = simd.fma(k(4.0), y[2], y[0]);
        let odd_2 = simd.fma(k(8.0), y[3], simd.mul(k(2.0), y[1]));
        [y[0], simd.add(even_1, odd_1), simd.sub(even_1, odd_1), simd.add(even_2, odd_2), simd.sub(even_2, odd_2), y[3]]
    }
}

/// G g
pub struct Kernel;

impl Transform<3, 6> for Kernel {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; 6] {
        let k = |x| simd.splat(x);
        let even_1 = simd.mul(k(-1.0 / 6.0), simd.add(g[0], g[2]));
        let odd_1 = simd.mul(k(-1.0 / 6.0), g[1]);
        let even_2 = simd.fma(k(1.0 / 24.0), g[0], simd.mul(k(1.0 / 6.0), g[2]));
        let odd_2 = simd.mul(k(1.0 / 12.0), g[1]);
        [
            simd.mul(k(0.25), g[0]),
            simd.add(even_1, odd_1),
            simd.sub(even_1, odd_1),
            simd.add(even_2, odd_2),
            simd.sub(even_2, odd_2),
            g[2],
        ]
    }
}

/// G' u
pub struct KernelTransposed;

impl Transform<6, 3> for KernelTransposed {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, u: [S::V; 6]) -> [S::V; 3] {
        let k = |x| simd.splat(x);
        let (sum_1, difference_1) = (simd.add(u[1], u[2]), simd.sub(u[1], u[2]));
        let (sum_2, difference_2) = (simd.add(u[3], u[4]), simd.sub(u[3], u[4]));
        let outer = simd.mul(k(-1.0 / 6.0), sum_1);
        [
            simd.fma(k(0.25), u[0], simd.fma(k(1.0 / 24.0), sum_2, outer)),
            simd.fma(k(-1.0 / 6.0), difference_1, simd.mul(k(1.0 / 12.0), difference_2)),
            simd.fma(k(1.0 / 6.0), sum_2, simd.add(outer, u[5])),
        ]
    }
}
