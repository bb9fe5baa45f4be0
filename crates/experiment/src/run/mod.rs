//! One run: the experiment step by step, its folder, and resuming it.

mod draft;
pub mod experiment;
pub mod folder;
mod lock;
pub mod plan;
pub mod prepare;
pub mod results;
pub mod resume;
pub mod session;
pub mod watch;
