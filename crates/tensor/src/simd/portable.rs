//! The portable level, over the crate `wide`: correct on every target, and vectorised to what the build guarantees.

use wide::f32x16;

use super::{LANES, Lanes, Level, Simd};

/// The token of [`Level::Portable`]; every CPU has it.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Simd for Portable {
    type V = f32x16;
    const LEVEL: Level = Level::Portable;
    const REGISTERS: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> f32x16 {
        f32x16::splat(x)
    }
    #[inline(always)]
    fn load(self, from: &Lanes) -> f32x16 {
        f32x16::new(*from)
    }
    #[inline(always)]
    fn store(self, v: f32x16, to: &mut Lanes) {
        *to = v.to_array();
    }
    #[inline(always)]
    fn add(self, a: f32x16, b: f32x16) -> f32x16 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32x16, b: f32x16) -> f32x16 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32x16, b: f32x16) -> f32x16 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32x16, b: f32x16) -> f32x16 {
        a / b
    }
    #[inline(always)]
    fn sqrt(self, a: f32x16) -> f32x16 {
        a.sqrt()
    }
    #[inline(always)]
    fn fma(self, a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
        a * b + c
    }
    #[inline(always)]
    fn max(self, a: f32x16, b: f32x16) -> f32x16 {
        a.simd_gt(b).bitselect(a, b)
    }
    #[inline(always)]
    fn min(self, a: f32x16, b: f32x16) -> f32x16 {
        b.simd_gt(a).bitselect(a, b)
    }
    #[inline(always)]
    fn keep_where_gt(self, a: f32x16, b: f32x16, x: f32x16) -> f32x16 {
        a.simd_gt(b) & x
    }
    #[inline(always)]
    fn select_eq(self, a: f32x16, b: f32x16, x: f32x16, y: f32x16) -> f32x16 {
        a.simd_eq(b).bitselect(x, y)
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; LANES]) -> f32x16 {
        f32x16::new(from.map(f32::from))
    }
    #[inline(always)]
    fn store_bytes(self, v: f32x16, to: &mut [u8; LANES]) {
        *to = v.to_array().map(|lane| lane as u8);
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}
