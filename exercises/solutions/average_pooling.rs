use thawline_tensor::Shape;
use thawline_tensor::nn::{Backward, BuildError, Layer};

#[derive(Clone, Debug, Default)]
pub struct AveragePooling {
    input: [usize; 3],
}

impl AveragePooling {
    /// Calls `visit(input, output)` with the indices of each element and of its mean.
    fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        let [h, w, c] = self.input;
        for row in 0..h / 2 * 2 {
            for column in 0..w / 2 * 2 {
                for channel in 0..c {
                    visit((row * w + column) * c + channel, (row / 2 * (w / 2) + column / 2) * c + channel);
                }
            }
        }
    }
}

impl Layer for AveragePooling {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let [h, w, c] = input.as_image().ok_or("it takes an image")?;
        self.input = [h, w, c];
        Ok(Shape::from([h / 2, w / 2, c]))
    }

    /// One example at a time, since the layer does not ask for the whole batch.
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        y.fill(0.0);
        self.for_each(|i, o| y[o] += x[i] / 4.0);
    }

    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        dx.fill(0.0);
        self.for_each(|i, o| dx[i] = pass.dy[o] / 4.0);
    }
}
