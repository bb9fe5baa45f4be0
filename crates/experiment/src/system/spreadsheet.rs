//! CSV that is safe to open in a spreadsheet. All rows of the program's CSV are made here.

use serde::Serialize;

use super::{
    console::escaped,
    failure::{Failure, Kind, Result},
};

/// Rows as CSV, with a header line if the rows are structs.
pub fn table(rows: impl IntoIterator<Item: Serialize>) -> Result<Vec<u8>> {
    write(rows).map_err(|error| Failure::new(Kind::Other, format!("cannot write a table as CSV: {error}")))
}

fn write(rows: impl IntoIterator<Item: Serialize>) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut plain = csv::Writer::from_writer(Vec::new());
    for row in rows {
        plain.serialize(row)?;
    }
    let plain = plain.into_inner()?;
    let mut safe = csv::Writer::from_writer(Vec::new());
    for row in csv::ReaderBuilder::new().has_headers(false).from_reader(&plain[..]).into_records() {
        safe.write_record(row?.iter().map(cell))?;
    }
    Ok(safe.into_inner()?)
}

/// A cell that a spreadsheet does not read as a formula or as several lines. Numbers are unchanged.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = escaped(text, |c| c.escape_default().to_string());
    if formula { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_never_formulas() {
        for (text, expected) in [
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("+1+2", "'+1+2"),
            ("-2+3", "'-2+3"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\tx", "'\\tx"),
            ("\rx\n", "'\\rx\\n"),
            ("-0.5", "-0.5"),
            ("1e-7", "1e-7"),
            ("a=b\u{1b}[2J", "a=b\\u{1b}[2J"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
        let rows = [("a,b\n", -1.5, Some("=x")), ("\"q\"", 2.0, None)];
        assert_eq!(String::from_utf8(table(rows).unwrap()).unwrap(), "\"a,b\\n\",-1.5,'=x\n\"\"\"q\"\"\",2.0,\n");
    }
}
