//! The machine's limits: multiply-adds per second, bytes per second, and the roofline that follows from them.
//!
//! In the roofline model (Williams, Waterman and Patterson 2009), work takes at least as long as its arithmetic at peak
//! rate, and at least as long as its memory traffic at full bandwidth.

use std::hint::black_box;

use thawline_tensor::{
    Buffer, dispatch,
    simd::{LANES, Level, Simd, Vector, vectors, vectors_mut},
    threads::{self, PoolError, with_threads},
};

use super::timing::{Times, Work, measure_seconds};

/// The roofline for one number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// Peak rate; a multiply-add counts as two operations.
    pub flops_per_second: f64,
    /// Bytes read and written.
    pub bytes_per_second: f64,
}

impl Roof {
    /// The shortest time that some work can take, in seconds.
    pub fn seconds(&self, work: Work) -> f64 {
        (work.flops_done as f64 / self.flops_per_second).max(work.bytes as f64 / self.bytes_per_second)
    }

    /// The shortest possible time relative to the measured one: 1 reaches the roofline.
    pub fn share(&self, work: Work, seconds: f64) -> f64 {
        self.seconds(work) / seconds
    }
}

/// Measurements of the peak; the best counts. They are short, so that some are undisturbed.
const SECONDS: f64 = 3e-3;
const MEASUREMENTS: usize = 40;

/// Measurements of the bandwidth; the best counts.
const PASSES: usize = 12;

/// The peak FLOP/s of this many threads at a SIMD level; a multiply-add counts as two operations.
///
/// # Panics
/// If the CPU lacks the level.
pub fn peak(level: Level, threads: usize) -> Result<f64, PoolError> {
    with_threads(threads, || {
        let mut steps = 1000;
        let mut rate = 0.0f64;
        for _ in 0..MEASUREMENTS {
            let mut chains = vec![0; threads];
            let seconds = measure_seconds(|| {
                threads::for_each(&mut chains[..], |_, chains| *chains = multiply_add(level, steps))
            });
            let flops = 2 * LANES as u64 * steps * chains.iter().sum::<u64>();
            rate = rate.max(flops as f64 / seconds);
            steps = ((steps as f64 * SECONDS / seconds) as u64).clamp(steps / 4, steps * 100).max(1000);
        }
        rate
    })
}

/// Runs independent chains of multiply-adds in registers. Returns the number of chains, each with [`LANES`]
/// multiply-adds per step.
///
/// # Panics
/// If the CPU lacks the level.
pub fn multiply_add(level: Level, steps: u64) -> u64 {
    dispatch!(level, simd => chains_for_registers(simd, steps))
}

/// Enough chains to hide the latency of a multiply-add, and few enough for the registers.
#[inline(always)]
fn chains_for_registers<S: Simd>(simd: S, steps: u64) -> u64 {
    if const { S::REGISTERS >= 32 } {
        chains::<S, 12>(simd, steps)
    } else if const { S::REGISTERS >= 8 } {
        chains::<S, 6>(simd, steps)
    } else {
        chains::<S, 3>(simd, steps)
    }
}

#[inline(always)]
fn chains<S: Simd, const CHAINS: usize>(simd: S, steps: u64) -> u64 {
    let (factor, addend) = (simd.splat(black_box(0.5)), simd.splat(black_box(1.0)));
    let mut sums = [simd.zero(); CHAINS];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = simd.splat(black_box(i as f32));
    }
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = sum.mul_add(factor, addend);
        }
    }
    for sum in sums {
        let mut lanes = [0.0; LANES];
        sum.store(&mut lanes);
        black_box(lanes);
    }
    CHAINS as u64
}

/// Floats per array: the three arrays take 201 MB, far more than most last-level caches hold.
const ARRAY: usize = 16 << 20;

/// Floats per task.
const CHUNK: usize = 1 << 15;

/// Measures the memory bandwidth of this many threads, in bytes per second: of the triad a = b + s c of STREAM (McCalpin
/// 1995; two arrays read, one written) at the process's SIMD level, and of the copy a = b with `copy_from_slice`.
/// As usual, reading a cache line before it is overwritten does not count.
pub fn bandwidth(threads: usize) -> Result<[f64; 2], PoolError> {
    with_threads(threads, || {
        let [mut a, mut b, mut c] = [(); 3].map(|()| Buffer::zeros(ARRAY));
        // The system allocates memory only when it is written.
        for (array, value) in [(&mut a, 0.5), (&mut b, 1.0), (&mut c, 2.0)] {
            threads::for_chunks(array, CHUNK, |_, chunk| chunk.fill(value));
        }
        let rate = |bytes: usize, pass: &mut dyn FnMut()| {
            let times = Times::new((0..PASSES).map(|_| measure_seconds(&mut *pass)).collect());
            bytes as f64 / times.best()
        };
        let array_bytes = ARRAY * size_of::<f32>();
        let triad = rate(3 * array_bytes, &mut || {
            threads::for_chunks(&mut a, CHUNK, |i, a| {
                let [b, c] = [&b, &c].map(|array| &array[i * CHUNK..][..CHUNK]);
                dispatch!(simd => triad(simd, a, b, c));
            });
        });
        let copy = rate(2 * array_bytes, &mut || {
            threads::for_chunks(&mut a, CHUNK, |i, a| a.copy_from_slice(&b[i * CHUNK..][..CHUNK]));
        });
        [triad, copy]
    })
}

#[inline(always)]
fn triad<S: Simd>(simd: S, a: &mut [f32], b: &[f32], c: &[f32]) {
    let scale = simd.splat(3.0);
    for ((a, b), c) in vectors_mut(a).iter_mut().zip(vectors(b)).zip(vectors(c)) {
        scale.mul_add(simd.load(c), simd.load(b)).store(a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roofline_is_the_slower_of_arithmetic_and_memory() {
        let roof = Roof { flops_per_second: 100.0, bytes_per_second: 10.0 };
        assert_eq!(roof.seconds(Work::direct(200, 10)), 2.0);
        assert_eq!(roof.seconds(Work::direct(200, 30)), 3.0);
        assert_eq!(roof.share(Work { flops: 800, flops_done: 200, bytes: 0 }, 4.0), 0.5);
        assert_eq!(roof.share(Work::traffic(30), 3.0), 1.0);
    }

    #[test]
    fn peak_and_bandwidth_are_positive() {
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            assert!(peak(level, 1).unwrap() > 1e8, "{level}");
        }
        let mut sums = [0.0; 2 * LANES];
        dispatch!(simd => triad(simd, &mut sums, &[1.0; 2 * LANES], &[2.0; 2 * LANES]));
        assert_eq!(sums, [7.0; 2 * LANES]);
    }
}
