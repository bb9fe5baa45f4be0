//! What the program says: results on standard output, and everything else there too unless it must stay clean.

use std::io::{self, Write};

use crate::failure::Result;

/// Where the program's text goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console {
    /// Say nothing but results.
    pub quiet: bool,
    /// Standard output is for a machine; text for people goes to standard error.
    pub stdout_is_data: bool,
}

impl Console {
    /// A line (or several) that accompanies the work.
    ///
    /// # Errors
    /// If the output takes no more.
    pub fn say(self, text: impl AsRef<str>) -> Result<()> {
        if self.quiet { Ok(()) } else { self.result(text) }
    }

    /// A line (or several) that the user asked for.
    ///
    /// # Errors
    /// If the output takes no more.
    pub fn result(self, text: impl AsRef<str>) -> Result<()> {
        if self.stdout_is_data {
            // Whoever reads the data gets them, whatever becomes of the text beside them.
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
            return Ok(());
        }
        print(text.as_ref())
    }
}

/// Writes text and a line feed to standard output.
///
/// # Errors
/// If the output takes no more.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
