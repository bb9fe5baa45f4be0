//! The reader.
#![forbid(unsafe_code)]
