//! The peers' side of an interleaved timing; [stopwatch.py](../../stopwatch.py) describes the protocol.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::{Value, json};

/// Pictures per step: the program's only argument.
pub fn batch() -> usize {
    std::env::args().nth(1).and_then(|batch| batch.parse().ok()).expect("usage: PROGRAM PICTURES-PER-STEP")
}

const WARM_UP_STEPS: usize = 3;

/// Answers requests from stdin. Each task performs one step.
pub fn serve(introduction: Value, mut tasks: Vec<(&str, Box<dyn FnMut() + '_>)>) -> io::Result<()> {
    answer(&introduction)?;
    for request in io::stdin().lines() {
        let request = request?;
        let steps = |(task, steps): (&str, &str)| Some((task.to_owned(), steps.parse::<usize>().ok()?));
        let Some((name, steps)) = request.split_once(' ').and_then(steps) else {
            answer(&json!({ "error": format!("expected a line TASK STEPS, found {request:?}") }))?;
            continue;
        };
        let Some((_, step)) = tasks.iter_mut().find(|(task, _)| *task == name) else {
            answer(&json!({ "error": format!("unknown task {name:?}") }))?;
            continue;
        };
        (0..WARM_UP_STEPS).for_each(|_| step());
        let mut time = || {
            let began = Instant::now();
            step();
            1e3 * began.elapsed().as_secs_f64()
        };
        let times: Vec<f64> = (0..steps).map(|_| time()).collect();
        answer(&json!({ "task": name, "times_ms": times }))?;
    }
    Ok(())
}

fn answer(fields: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{fields}")
}
