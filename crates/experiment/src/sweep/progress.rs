//! What a running sweep shows: a progress bar on a terminal, and a line for each finished job.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::record::JobRecord;
use crate::{
    system::{
        console::{Console, Text, fitted},
        failure::Result,
        number,
    },
    training::progress::bar,
};

/// A line: jobs done, job, test and validation accuracy, time and time left.
fn line([done, name, test, validation, time, left]: [&str; 6]) -> String {
    format!("{done:>7}  {:<30} {test:>7} {validation:>7} {time:>11} {left:>11}", fitted(name, 30))
}

/// A sweep's progress, in the units of [`cost`](super::cost).
pub struct SweepProgress {
    console: Console,
    bar: ProgressBar,
    jobs: usize,
    jobs_done: usize,
    work: f64,
    work_done: f64,
    /// When the sweep started.
    began: Instant,
    /// When the current job started, and the work done when it ends.
    job: (Instant, f64),
}

impl SweepProgress {
    pub fn new(console: Console, jobs: usize, work: f64) -> Self {
        let bar = bar(console, "{prefix}  [{bar:12}]  {wide_msg}", 1000);
        let now = Instant::now();
        SweepProgress { console, bar, jobs, jobs_done: 0, work, work_done: 0.0, began: now, job: (now, 0.0) }
    }

    /// Shows what the process is waiting for.
    pub fn wait(&self, what: &str) {
        self.bar.set_prefix("");
        self.bar.set_message(what.to_owned());
    }

    pub fn begin(&mut self, name: &str, work: f64) {
        self.job = (Instant::now(), self.work_done + work);
        self.bar.set_prefix(format!(
            "{:>7}  {:<30}",
            format!("{}/{}", self.jobs_done + 1, self.jobs),
            fitted(name, 30)
        ));
    }

    /// Adds work done.
    pub fn advance(&mut self, work: f64) {
        self.work_done += work;
        self.bar.set_position((1000.0 * self.work_done / self.work.max(1.0)) as u64);
        self.bar.set_message(format!("{} left", self.left()));
    }

    /// Finishes the job, and prints its line.
    pub fn finished(&mut self, record: &JobRecord) -> Result<()> {
        self.work_done = self.job.1;
        self.jobs_done += 1;
        let validation = record.history.last().map_or(0.0, |epoch| epoch.val_accuracy);
        let line_of_job = line([
            &format!("{}/{}", self.jobs_done, self.jobs),
            &JobRecord::name(&record.arm, record.seed),
            &number::percent_briefly(record.test.accuracy),
            &number::percent_briefly(validation),
            &number::duration(self.job.0.elapsed().as_secs_f64()),
            &self.left(),
        ]);
        let header = line(["done", "arm and seed", "test", "valid.", "time", "left"]);
        let header = if self.jobs_done == 1 { Text::heading(header) } else { Text::default() };
        self.bar.suspend(|| self.console.say(header.and(line_of_job)))
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The time left, as text; empty as long as nothing is done that it could be estimated from.
    fn left(&self) -> String {
        if self.work_done == 0.0 {
            return String::new();
        }
        let seconds_per_work = self.began.elapsed().as_secs_f64() / self.work_done;
        number::duration((self.work - self.work_done).max(0.0) * seconds_per_work)
    }
}
