pub fn most_rows(vectors: usize, room: usize) -> usize {
    // rows x vectors + vectors + 1 <= room
    (room - vectors - 1) / vectors
}
