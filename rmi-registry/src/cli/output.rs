//! What goes to stdout: for people as text, for programs as JSON.

use std::io::{self, Write};

use rmi_registry::Entry;

use crate::cli::failure::Failure;

/// Writes to stdout, all at once and to the end. That nobody reads any more, as behind `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A value on one line.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    print(&format!("{text}\n"))
}

/// Text of a peer, without what would drive a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One line a name, in columns.
pub(crate) fn table(entries: &[Entry]) -> String {
    const HEAD: [&str; 5] = ["NAME", "VERSION", "INTERFACE", "OWNER", "ADDRESSES"];
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let version = entry.version.to_string();
        [&entry.name, &version, &entry.interface, &entry.owner.to_string(), &entry.addresses.join(" ")]
            .map(|field| printable(field))
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let fields = row.iter().zip(&widths).map(|(field, &width)| format!("{field:<width$}"));
        let line = fields.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// One line a field.
pub(crate) fn details(entry: &Entry) -> String {
    let addresses = match entry.addresses.is_empty() {
        true => "unknown: it does not listen, or the binder did not say".into(),
        false => printable(&entry.addresses.join(" ")),
    };
    let kept = if entry.kept { "until it is unbound" } else { "as long as its binder" };
    let fields = [
        ("name", printable(&entry.name)),
        ("version", entry.version.to_string()),
        ("interface", printable(&entry.interface)),
        ("owner", entry.owner.to_string()),
        ("addresses", addresses),
        ("binding", entry.id.to_string()),
        ("since", entry.since_utc()),
        ("stays", kept.into()),
    ];
    fields.iter().map(|(field, value)| format!("{field:<9}  {value}\n")).collect()
}
