//! The progress of training: a bar for the epoch on a terminal, and a line for each finished epoch.
//!
//! Lines go to standard output and stay; bars go to standard error, and only if that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use thawline_tensor::nn::StepReport;

use super::estimate::Stopwatch;
use crate::{
    record::run::EpochRow,
    system::{
        console::{Console, Text},
        failure::Result,
        number,
    },
};

const HEADER: &str = "  epoch     loss  accuracy   val_loss  val_accuracy   seconds  pictures/s";

/// A narrow terminal cuts the line off on the right. The bar itself is in the message, which gets the remaining space.
const BAR: &str = "{prefix}  {wide_msg}";
const BAR_WIDTH: usize = 12;

pub struct Progress {
    console: Console,
    /// The bar of an epoch, or a spinner before the first step.
    bar: Option<ProgressBar>,
    epochs: usize,
    examples: usize,
    /// Measures the first steps, until the estimate is printed or the epoch ends.
    stopwatch: Option<Stopwatch>,
    header_printed: bool,
    /// When this process began to work on the epoch.
    epoch_began: Instant,
    /// How many of the epoch's examples were done before: none, unless the run was resumed in the middle. `None` until
    /// the first step.
    done_before: Option<usize>,
}

/// A bar on standard error, if that is a terminal and the console is not quiet.
pub(crate) fn bar(console: Console, template: &str, length: u64) -> ProgressBar {
    let target = if console.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template(template).expect("the templates are constant");
    // The style is set before anything is drawn.
    ProgressBar::with_draw_target(Some(length), target).with_style(style.progress_chars("=> "))
}

/// A spinner that is shown until it is dropped.
pub(crate) fn spinner(console: Console, what: impl Into<String>) -> ProgressBar {
    let spinner = bar(console, "{spinner} {wide_msg}", 0).with_finish(ProgressFinish::AndClear);
    spinner.set_message(what.into());
    if !spinner.is_hidden() {
        spinner.enable_steady_tick(Duration::from_millis(120));
    }
    spinner
}

impl Progress {
    /// With a stopwatch, the first steps give an estimate of the time.
    pub fn new(console: Console, epochs: usize, examples: usize, stopwatch: Option<Stopwatch>) -> Self {
        let (header_printed, epoch_began) = (false, Instant::now());
        Progress { console, bar: None, epochs, examples, stopwatch, header_printed, epoch_began, done_before: None }
    }

    /// Shows a spinner until the first step.
    pub fn wait(&mut self, what: impl Into<String>) {
        self.finish();
        self.bar = Some(spinner(self.console, what)).filter(|spinner| !spinner.is_hidden());
    }

    /// Starts the first epoch; `features` are the seconds that the frozen features took, if they are cached.
    pub fn begin(&mut self, features: Option<f64>) -> Result<()> {
        self.finish();
        self.begin_epoch();
        match features {
            None => Ok(()),
            Some(seconds) => {
                self.line([format!("features  computed once, in {}", number::duration(seconds)), String::new()])
            }
        }
    }

    fn begin_epoch(&mut self) {
        (self.epoch_began, self.done_before) = (Instant::now(), None);
    }

    pub fn step(&mut self, report: &StepReport) -> Result<()> {
        if let Some(estimate) = self.stopwatch.as_mut().and_then(|stopwatch| stopwatch.after_step(report.steps)) {
            self.stopwatch = None;
            self.line(Text::wrapped("time      ", estimate).and(""))?;
        }
        if self.stopwatch.is_none() {
            self.header()?;
        }
        let running = report.running;
        let [epoch, accuracy] = [self.epoch_column(report.epoch), number::percent(running.accuracy)];
        let bar = self.bar.get_or_insert_with(|| bar(self.console, BAR, report.steps as u64));
        bar.set_prefix(format!("{epoch}  {:7.4}  {accuracy:>8}", running.loss));
        let done = "=".repeat(BAR_WIDTH * report.step / report.steps) + ">";
        let rest = if report.step == report.steps {
            "validating".to_owned()
        } else {
            let before = *self.done_before.get_or_insert_with(|| examples_before(report));
            let [seen, remaining] = [report.examples - before, self.examples - report.examples];
            let elapsed = self.epoch_began.elapsed().as_secs_f64();
            let left = elapsed / seen as f64 * remaining as f64;
            format!("{} left, {} pictures/s", number::duration(left), rate(seen, elapsed))
        };
        bar.set_message(format!("[{done:<BAR_WIDTH$.BAR_WIDTH$}] {:>3}/{}  {rest}", report.step, report.steps));
        bar.set_position(report.step as u64);
        Ok(())
    }

    pub fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        // An epoch too short to measure gives no estimate; its time is in the line itself.
        self.stopwatch = None;
        self.finish();
        self.header()?;
        self.begin_epoch();
        let &EpochRow { epoch, seconds, loss, accuracy, val_loss, val_accuracy } = row;
        self.line(format!(
            "{}  {loss:7.4}  {:>8}    {val_loss:7.4}      {:>8}  {seconds:8.2}  {:>10}",
            self.epoch_column(epoch as usize),
            number::percent(accuracy),
            number::percent(val_accuracy),
            rate(self.examples, seconds),
        ))
    }

    /// Clears the bar.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn header(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.header_printed, true) { Ok(()) } else { self.line(Text::heading(HEADER)) }
    }

    fn epoch_column(&self, epoch: usize) -> String {
        format!("{:>7}", format!("{epoch}/{}", self.epochs))
    }

    fn line(&self, text: impl Into<Text>) -> Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.console.say(text)),
            None => self.console.say(text),
        }
    }
}

/// The examples of an epoch before a step that is not its last. (Only the last can have fewer than the others.)
fn examples_before(report: &StepReport) -> usize {
    report.examples / report.step * (report.step - 1)
}

/// Pictures per second; "-" if the clock did not move.
fn rate(count: usize, seconds: f64) -> String {
    if seconds > 0.0 { number::count((count as f64 / seconds) as u64) } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use thawline_tensor::nn::Metrics;

    use super::*;

    #[test]
    fn an_epoch_that_is_resumed_was_partly_done_before() {
        let report = |step| StepReport { epoch: 2, step, steps: 10, examples: 128 * step, running: Metrics::default() };
        assert_eq!(examples_before(&report(1)), 0);
        assert_eq!(examples_before(&report(7)), 6 * 128);
    }
}
