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
    /// What was unfinished when this process started, pretrainings included, and its work.
    jobs: usize,
    work: f64,
    /// What is left of that, including what other processes do.
    jobs_left: usize,
    work_left: f64,
    /// When the sweep started.
    began: Instant,
    /// When the current job started.
    job_began: Instant,
    has_header: bool,
}

impl SweepProgress {
    pub fn new(console: Console, (jobs, work): (usize, f64)) -> Self {
        let bar = bar(console, "{prefix}  [{bar:12}]  {wide_msg}", 1000);
        let now = Instant::now();
        let (jobs_left, work_left, job_began) = (jobs, work, now);
        SweepProgress { console, bar, jobs, work, jobs_left, work_left, began: now, job_began, has_header: false }
    }

    /// Shows what the process is waiting for.
    pub fn show_waiting(&self, what: &str) {
        self.bar.set_prefix("");
        self.bar.set_message(what.to_owned());
    }

    /// Begins a job. `left` is what no process has finished: jobs and work.
    pub fn begin(&mut self, name: &str, left: (usize, f64)) {
        (self.jobs_left, self.work_left) = left;
        self.job_began = Instant::now();
        let number = format!("{}/{}", self.jobs_done() + 1, self.jobs);
        self.bar.set_prefix(format!("{number:>7}  {:<30}", fitted(name, 30)));
    }

    /// Takes work of the current job off what is left.
    pub fn advance(&mut self, work: f64) {
        self.work_left -= work;
        self.bar.set_position((1000.0 * self.work_done() / self.work.max(1.0)) as u64);
        self.bar.set_message(format!("{} left", self.time_left()));
    }

    /// Finishes the job, and prints its line. `left` is what no process has finished.
    pub fn finished(&mut self, record: &JobRecord, left: (usize, f64)) -> Result<()> {
        (self.jobs_left, self.work_left) = left;
        let line_of_job = line([
            &format!("{}/{}", self.jobs_done(), self.jobs),
            &JobRecord::name(&record.arm, record.seed),
            &number::percent_briefly(record.test.accuracy),
            &number::percent_briefly(record.last_epoch()),
            &number::duration(self.job_began.elapsed().as_secs_f64()),
            &self.time_left(),
        ]);
        let header = line(["done", "arm and seed", "test", "valid.", "time", "left"]);
        let is_first = !std::mem::replace(&mut self.has_header, true);
        let header = if is_first { Text::heading(header) } else { Text::default() };
        self.bar.suspend(|| self.console.say(header.and(line_of_job)))
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn jobs_done(&self) -> usize {
        self.jobs.saturating_sub(self.jobs_left)
    }

    fn work_done(&self) -> f64 {
        self.work - self.work_left
    }

    /// The time left at the speed of all processes together, as text; empty as long as nothing is done that it could be
    /// estimated from.
    fn time_left(&self) -> String {
        if self.work_done() <= 0.0 {
            return String::new();
        }
        let seconds_per_work = self.began.elapsed().as_secs_f64() / self.work_done();
        number::duration(self.work_left.max(0.0) * seconds_per_work)
    }
}
