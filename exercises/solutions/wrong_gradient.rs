use thawline_tensor::Shape;
use thawline_tensor::nn::{Backward, BuildError, Init, Layer, LayerSeed, Param};

/// y = scale[c] x: each channel has its own factor.
#[derive(Clone, Debug, Default)]
pub struct Scale {
    params: Vec<Param>,
}

impl Layer for Scale {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let channels = *input.dims().last().ok_or("it takes at least one dimension")?;
        self.params = vec![Param::new("scale", [channels])];
        Ok(input.clone())
    }

    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let channels = self.params[0].shape.size();
        self.params[0].value = Init::HeNormal.values(channels, [1, 1], seed)?;
        Ok(())
    }

    /// y = scale[c] x
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let scale = &self.params[0].value;
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = scale[i % scale.len()] * x;
        }
    }

    /// dx = scale[c] dy, dscale[c] = the sum of x dy over the pixels and examples
    fn backward(&self, pass: Backward<'_>) {
        let scale = &self.params[0].value;
        if let Some(dscale) = pass.gradient {
            // A pass sees a few examples of the batch. Its gradient is added to that of the passes before it.
            if !pass.accumulate {
                dscale.fill(0.0);
            }
            for (i, (x, dy)) in pass.x.iter().zip(&*pass.dy).enumerate() {
                dscale[i % scale.len()] += x * dy;
            }
        }
        if let Some(dx) = pass.dx {
            for (i, (dx, dy)) in dx.iter_mut().zip(&*pass.dy).enumerate() {
                *dx = scale[i % scale.len()] * dy;
            }
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }
}
