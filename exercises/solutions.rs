//! The exercises' tests with the solutions in place of the answers. The answers need only compile.

#[allow(dead_code, unused_variables)]
mod answers;
#[path = "solutions/mod.rs"]
mod solved;
mod tests;
