/// For each output the index of its window's winner.
fn winners(x: &[f32], [h, w, c]: [usize; 3]) -> Vec<usize> {
    let mut winners = Vec::new();
    for row in (0..h).step_by(2) {
        for column in (0..w).step_by(2) {
            for channel in 0..c {
                let window = [(0, 0), (0, 1), (1, 0), (1, 1)];
                let window = window.map(|(down, right)| ((row + down) * w + column + right) * c + channel);
                let mut best = window[0];
                for candidate in window {
                    if x[candidate] > x[best] {
                        best = candidate;
                    }
                }
                winners.push(best);
            }
        }
    }
    winners
}

pub fn forward(x: &[f32], shape: [usize; 3]) -> Vec<f32> {
    winners(x, shape).into_iter().map(|winner| x[winner]).collect()
}

pub fn backward(x: &[f32], dy: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    for (winner, dy) in winners(x, shape).into_iter().zip(dy) {
        dx[winner] += dy;
    }
    dx
}
