//! The basis of all other modules, none of which it uses: failures, files, the console, memory, the machine.

pub mod atomic_file;
pub mod console;
pub mod failure;
pub mod hash;
pub mod input;
pub mod interrupt;
pub mod json;
pub mod machine;
pub mod memory;
pub mod names;
pub mod number;
pub mod output;
pub mod panics;
pub mod path_text;
pub mod spreadsheet;
pub mod streams;
pub mod wording;
