//! What a training shows while it goes on: a bar for the epoch on a terminal, and a line for each finished epoch.
//!
//! Lines go to standard output and stay; bars go to standard error, and only if that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thawline_tensor::nn::{StepReport, thousands};

use crate::{
    console::{Console, Text},
    estimate::Stopwatch,
    failure::Result,
    record::EpochRow,
};

/// The header of the lines.
const HEADER: &str = "  epoch     loss  accuracy   val_loss  val_accuracy   seconds  images/s";

/// A training's progress.
pub struct Progress {
    console: Console,
    bar: ProgressBar,
    epochs: usize,
    examples: usize,
    /// Measures the first steps; gone when the estimate was printed.
    stopwatch: Option<Stopwatch>,
    header_printed: bool,
    /// The epoch that the bar is made for.
    bar_of: Option<usize>,
    epoch_began: Instant,
}

impl Progress {
    /// The progress of some epochs over so many examples. With a stopwatch, the first steps give an estimate of the time.
    pub fn new(console: Console, epochs: usize, examples: usize, stopwatch: Option<Stopwatch>) -> Self {
        let target = if console.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        Progress {
            console,
            bar,
            epochs,
            examples,
            stopwatch,
            header_printed: false,
            bar_of: None,
            epoch_began: Instant::now(),
        }
    }

    /// Shows that something takes a while, until the first step.
    pub fn wait(&self, what: impl Into<String>) {
        self.bar.set_style(style("{spinner} {msg} ({elapsed})"));
        self.bar.set_message(what.into());
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// The first epoch begins, after the frozen features were computed where they are kept.
    ///
    /// # Errors
    /// If the output takes no more.
    pub fn begin(&mut self, features: Option<f64>) -> Result<()> {
        self.epoch_began = Instant::now();
        match features {
            None => Ok(()),
            Some(seconds) => self.line([format!("features  computed once, in {}", duration(seconds)), String::new()]),
        }
    }

    /// A step is done.
    ///
    /// # Errors
    /// If the output takes no more.
    pub fn step(&mut self, report: &StepReport) -> Result<()> {
        if let Some(estimate) = self.stopwatch.as_mut().and_then(|stopwatch| stopwatch.lap(report.steps)) {
            self.stopwatch = None;
            self.line([format!("time      {estimate}"), String::new()])?;
        }
        if self.stopwatch.is_none() {
            self.header()?;
        }
        if self.bar_of.replace(report.epoch) != Some(report.epoch) {
            self.bar.disable_steady_tick();
            self.bar.set_length(report.steps as u64);
            self.bar.set_style(style("{prefix}  [{bar:24}] {pos:>3}/{len}{msg}").progress_chars("=> "));
        }
        let running = report.running;
        self.bar.set_prefix(format!(
            "{}  {:7.4}  {}",
            self.epoch_column(report.epoch),
            running.loss,
            percent(running.accuracy)
        ));
        if report.step == report.steps {
            self.bar.set_message("  validating");
        } else {
            let elapsed = self.epoch_began.elapsed().as_secs_f64();
            let left = elapsed / report.examples as f64 * (self.examples - report.examples) as f64;
            self.bar.set_message(format!("  {} images/s, {} left", rate(report.examples, elapsed), duration(left)));
        }
        self.bar.set_position(report.step as u64);
        Ok(())
    }

    /// An epoch is done.
    ///
    /// # Errors
    /// If the output takes no more.
    pub fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        // Of an epoch that was too short to measure there is no estimate; its time is in the line itself.
        self.stopwatch = None;
        self.header()?;
        self.epoch_began = Instant::now();
        let &EpochRow { epoch, seconds, loss, accuracy, val_loss, val_accuracy } = row;
        self.line(format!(
            "{}  {loss:7.4}  {}    {val_loss:7.4}      {}  {seconds:8.2}  {:>8}",
            self.epoch_column(epoch as usize),
            percent(accuracy),
            percent(val_accuracy),
            rate(self.examples, seconds),
        ))
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn header(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.header_printed, true) { Ok(()) } else { self.line(HEADER) }
    }

    fn epoch_column(&self, epoch: usize) -> String {
        format!("{:>7}", format!("{epoch}/{}", self.epochs))
    }

    fn line(&self, text: impl Into<Text>) -> Result<()> {
        self.bar.suspend(|| self.console.say(text))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constant")
}

/// How many a second; nothing where the clock did not move.
fn rate(count: usize, seconds: f64) -> String {
    if seconds > 0.0 { thousands((count as f64 / seconds) as u64) } else { "-".to_owned() }
}

/// `65.43 %`, eight characters wide.
pub fn percent(fraction: f64) -> String {
    format!("{:6.2} %", 100.0 * fraction)
}

/// A duration for people: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        ..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A number of bytes for people: `512 B`, `1.5 MB`, `2.0 GB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_bytes_for_people() {
        let shown = [0.04, 9.96, 59.4, 59.6, 200.0, 7500.0].map(duration);
        assert_eq!(shown, ["0.0 s", "10 s", "59 s", "1 min 00 s", "3 min 20 s", "2 h 05 min"]);
        assert_eq!([999, 1_500, 184_380_000, 1_505_280_000].map(bytes), ["999 B", "1.5 kB", "184.4 MB", "1.51 GB"]);
        assert_eq!(percent(0.7819), " 78.19 %");
        assert_eq!(percent(1.0), "100.00 %");
    }
}
