//! The portable level, on the crate `wide`: correct on every target, and vectorised as far as the build target allows.

use wide::f32x16;

use super::{LANES, Lanes, Level, Simd, Vector};

/// The token of [`Level::Portable`]; every CPU has it.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Simd for Portable {
    type Vector = f32x16;
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
    fn load_bytes(self, from: &[u8; LANES]) -> f32x16 {
        f32x16::new(from.map(f32::from))
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

impl Vector for f32x16 {
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.simd_gt(b).bitselect(self, b)
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        b.simd_gt(self).bitselect(self, b)
    }
    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        *to = self.to_array();
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES]) {
        *to = self.to_array().map(|lane| lane as u8);
    }
    #[inline(always)]
    fn where_gt(self, a: Self, b: Self) -> Self {
        a.simd_gt(b) & self
    }
    #[inline(always)]
    fn where_eq(self, a: Self, b: Self, other: Self) -> Self {
        a.simd_eq(b).bitselect(self, other)
    }
}
