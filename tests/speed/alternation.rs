//! Times several things, interleaved.

/// A thing to time.
pub struct Run {
    pub name: String,
    /// The work of one run, in any unit: rates are compared, not times.
    pub amount: f64,
    pub run: Box<dyn FnMut() + Send>,
}

/// A required ratio between the rates of two things.
pub struct Floor {
    pub faster: &'static str,
    pub slower: &'static str,
    pub at_least: f64,
}

/// The measured rate of a thing.
pub struct Rate {
    name: String,
    rate: f64,
}

impl Floor {
    pub fn ratio(&self, rates: &[Rate]) -> f64 {
        let rate = |name: &str| {
            let found = rates.iter().find(|rate| rate.name == name);
            found.unwrap_or_else(|| panic!("no run is called {name}")).rate
        };
        rate(self.faster) / rate(self.slower)
    }
}

const ROUNDS: usize = 7;

/// Runs each thing twice per round; the first run brings its operands into the cache. Keeps the shortest time of each
/// in `shortest` and computes the rates from these: other programs lengthen a time, and never shorten it.
pub fn interleaved(runs: &mut [Run], shortest: &mut [f64]) -> Vec<Rate> {
    for _ in 0..ROUNDS {
        for (Run { run, .. }, shortest) in runs.iter_mut().zip(&mut *shortest) {
            run();
            let began = cpu_seconds();
            run();
            *shortest = shortest.min(cpu_seconds() - began);
        }
    }
    let rates = runs.iter().zip(shortest);
    rates.map(|(Run { name, amount, .. }, shortest)| Rate { name: name.clone(), rate: amount / *shortest }).collect()
}

/// The thread's CPU time, which leaves out most of what other programs do.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Wall-clock time, where CPU time is not available.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed().as_secs_f64()
}
