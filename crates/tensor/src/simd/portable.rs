//! What the build's target guarantees, through the crate `wide`: the portable level, and NEON.

use std::ops::{Add, Div, Mul, Sub};

use wide::f32x16;

use super::{LANES, Lanes, Simd, Vector};

/// The token of [`Level::Portable`](super::Level::Portable); every CPU has it.
pub type Portable = Baseline<false>;

/// The token of [`Level::Neon`](super::Level::Neon); every 64-bit ARM has it.
#[cfg(target_arch = "aarch64")]
pub type Neon = Baseline<true>;

/// The instructions of the build's target, with fused multiply-add or without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline<const FMA: bool>;

/// The vector of [`Baseline`]: four registers on x86-64 and ARM.
#[derive(Clone, Copy)]
pub struct Floats<const FMA: bool>(f32x16);

impl<const FMA: bool> Simd for Baseline<FMA> {
    type Vector = Floats<FMA>;
    // SSE2 has sixteen registers of four floats, NEON 32.
    const REGISTERS: usize = if FMA { 8 } else { 4 };

    #[inline(always)]
    fn splat(self, x: f32) -> Floats<FMA> {
        Floats(f32x16::splat(x))
    }
    #[inline(always)]
    fn load(self, from: &Lanes) -> Floats<FMA> {
        Floats(f32x16::new(*from))
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; LANES]) -> Floats<FMA> {
        Floats(f32x16::new(from.map(f32::from)))
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

macro_rules! operators {
    ($($operator:ident $name:ident;)*) => {$(
        impl<const FMA: bool> $operator for Floats<FMA> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, b: Self) -> Self {
                Self($operator::$name(self.0, b.0))
            }
        }
    )*};
}

operators! { Add add; Sub sub; Mul mul; Div div; }

impl<const FMA: bool> Vector for Floats<FMA> {
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // At the portable level the build's target would decide whether the `mul_add` of `wide` rounds once or twice.
        Self(if FMA { self.0.mul_add(b.0, c.0) } else { self.0 * b.0 + c.0 })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        Self(self.0.simd_gt(b.0).bitselect(self.0, b.0))
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        Self(b.0.simd_gt(self.0).bitselect(self.0, b.0))
    }
    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        *to = self.0.to_array();
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES]) {
        *to = self.0.to_array().map(|lane| lane as u8);
    }
    #[inline(always)]
    fn where_gt(self, a: Self, b: Self) -> Self {
        Self(a.0.simd_gt(b.0) & self.0)
    }
    #[inline(always)]
    fn where_eq(self, a: Self, b: Self, other: Self) -> Self {
        Self(a.0.simd_eq(b.0).bitselect(self.0, other.0))
    }
}
