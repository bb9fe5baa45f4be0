//! The exercises of docs/exercises.md: a test fails until its answer, in `answers`, is right.
//!
//!     cargo test --test exercises softmax
#![allow(dead_code, unused_variables)]

#[path = "answers/mod.rs"]
mod solved;
mod tests;
