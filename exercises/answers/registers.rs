//! 15. Registers.

/// The largest number of rows of a register tile that is `vectors` vectors wide, if there is room for `room` vectors. A
/// tile needs an accumulator for each row and vector, the vectors of B, and the scalar of A.
pub fn most_rows(vectors: usize, room: usize) -> usize {
    todo!()
}
