//! Threads: the only file that names rayon.
//!
//! Work is cut by shape, never by the number of threads, and threads share no sum: each task writes its own part, and
//! parts are added in index order afterwards. So results have the same bits for any number of threads.

use std::cell::RefCell;

use crate::buffer::Buffer;

/// Why a thread pool could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads: {source}")]
pub struct PoolError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

/// The standard library's own default.
const STACK_BYTES: usize = 2 << 20;

/// Runs `work` on a pool of that many threads (0: as many as RAYON_NUM_THREADS says, or else one per logical CPU);
/// every parallel loop inside uses this pool.
///
/// # Errors
/// If the threads can't be started.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, PoolError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        // Otherwise RUST_MIN_STACK decides, and may be too small.
        .stack_size(STACK_BYTES)
        .thread_name(|n| format!("thawline-{n}"))
        .build()
        .map_err(|source| PoolError { threads, source })?;
    Ok(pool.install(work))
}

/// The number of threads that a parallel loop started by the caller uses.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// What [`for_each`] hands out part by part: items, [`Chunks`] of a slice, or several of these side by side.
pub trait Parts: Send + Sized {
    /// What a task gets.
    type Part;

    /// How many parts there are; operands side by side have the same number, or `usize::MAX` for any.
    fn count(&self) -> usize;

    /// Splits off the first `at` parts.
    fn split_at(self, at: usize) -> (Self, Self);

    /// The part itself, once there is only one.
    fn into_part(self) -> Self::Part;
}

/// Consecutive chunks of a slice, of the given length; the last may be shorter.
pub struct Chunks<'a, T>(pub &'a mut [T], pub usize);

impl<'a, T: Send> Parts for &'a mut [T] {
    type Part = &'a mut T;

    fn count(&self) -> usize {
        self.len()
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }

    fn into_part(self) -> &'a mut T {
        &mut self[0]
    }
}

impl<'a, T: Send> Parts for Chunks<'a, T> {
    type Part = &'a mut [T];

    fn count(&self) -> usize {
        self.0.len().div_ceil(self.1)
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let (first, second) = self.0.split_at_mut(at * self.1);
        (Self(first, self.1), Self(second, self.1))
    }

    fn into_part(self) -> &'a mut [T] {
        self.0
    }
}

/// An optional operand, such as a dx that nobody needs: if it is `None`, every task gets `None`.
impl<P: Parts> Parts for Option<P> {
    type Part = Option<P::Part>;

    fn count(&self) -> usize {
        self.as_ref().map_or(usize::MAX, P::count)
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        self.map(|parts| parts.split_at(at)).unzip()
    }

    fn into_part(self) -> Self::Part {
        self.map(P::into_part)
    }
}

impl<A: Parts, B: Parts> Parts for (A, B) {
    type Part = (A::Part, B::Part);

    fn count(&self) -> usize {
        let counts = [self.0.count(), self.1.count()];
        assert!(counts[0] == counts[1] || counts.contains(&usize::MAX), "operands have {counts:?} parts");
        counts[0].min(counts[1])
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let ((a, other_a), (b, other_b)) = (self.0.split_at(at), self.1.split_at(at));
        ((a, b), (other_a, other_b))
    }

    fn into_part(self) -> Self::Part {
        (self.0.into_part(), self.1.into_part())
    }
}

/// Calls `task(i, part)` for each part, in parallel.
///
/// # Panics
/// If operands have different numbers of parts, all are `None`, or a chunk's length is 0.
pub fn for_each<P: Parts>(parts: P, task: impl Fn(usize, P::Part) + Sync) {
    fn halve<P: Parts>(parts: P, first: usize, count: usize, task: &(impl Fn(usize, P::Part) + Sync)) {
        match count {
            0 => {}
            1 => task(first, parts.into_part()),
            _ => {
                let (left, right) = parts.split_at(count / 2);
                let middle = first + count / 2;
                rayon::join(|| halve(left, first, count / 2, task), || halve(right, middle, count.div_ceil(2), task));
            }
        }
    }
    let count = parts.count();
    assert_ne!(count, usize::MAX, "a parallel loop needs an operand that is not `None`");
    halve(parts, 0, count, &task);
}

/// Calls `task(i, chunk)` for the consecutive chunks of a slice, in parallel.
///
/// # Panics
/// If `chunk` is 0.
pub fn for_chunks<T: Send>(data: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    for_each(Chunks(data, chunk), task);
}

/// Calls `task(column, rows)` for strips of a row-major matrix, in parallel: `column` is the first of at most `width`
/// columns, `rows` are the pieces of all rows in the strip.
///
/// # Panics
/// If the matrix has more than [`STRIP_ROWS`] rows, or `columns` or `width` is 0.
pub fn for_strips(matrix: &mut [f32], columns: usize, width: usize, task: impl Fn(usize, &mut [&mut [f32]]) + Sync) {
    let count = matrix.len() / columns;
    let mut rows = matrix.chunks_exact_mut(columns);
    let mut rows: [&mut [f32]; STRIP_ROWS] = std::array::from_fn(|_| rows.next().unwrap_or_default());
    split_rows(&mut rows[..count], 0, width, &task);
}

/// The largest number of rows that [`for_strips`] accepts.
pub const STRIP_ROWS: usize = 128;

/// Splits all rows at the same column, until one strip is left. The left halves stay in the caller's array; with
/// [`Parts`] every split would move the whole array.
fn split_rows(rows: &mut [&mut [f32]], column: usize, width: usize, task: &(impl Fn(usize, &mut [&mut [f32]]) + Sync)) {
    let columns = rows.first().map_or(0, |row| row.len());
    if columns <= width {
        return task(column, rows);
    }
    let middle = columns.div_ceil(width).div_ceil(2) * width;
    let mut right: [&mut [f32]; STRIP_ROWS] = std::array::from_fn(|_| <&mut [f32]>::default());
    for (row, right) in rows.iter_mut().zip(&mut right) {
        (*row, *right) = std::mem::take(row).split_at_mut(middle);
    }
    let right = &mut right[..rows.len()];
    rayon::join(|| split_rows(rows, column, width, task), || split_rows(right, column + middle, width, task));
}

thread_local! {
    static SCRATCH: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` a scratch buffer of this thread, with arbitrary content: NaN in debug builds, so that tests find a
/// kernel that reads before it writes. The thread keeps the buffer for the next call, so that after the first steps of
/// training nothing is allocated, and scratch stays in the core's cache. Calls may be nested.
#[inline(always)]
pub fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = take_scratch(len);
    if cfg!(debug_assertions) {
        buffer[..len].fill(f32::NAN);
    }
    let result = work(&mut buffer[..len]);
    SCRATCH.with_borrow_mut(|spare| spare.push(buffer));
    result
}

/// The smallest spare buffer that is large enough, or a new one.
fn take_scratch(len: usize) -> Buffer {
    SCRATCH.with_borrow_mut(|spare| {
        let fits = (0..spare.len()).filter(|&i| spare[i].len() >= len).min_by_key(|&i| spare[i].len());
        fits.map_or_else(|| Buffer::zeros(len), |i| spare.swap_remove(i))
    })
}
