//! The map on the first page of `src/DESIGN.md` is that of the folders.

use std::collections::BTreeSet;

const DESIGN: &str = "src/DESIGN.md";
const HEADING: &str = "## Where things are";

/// Holds the map in `design` against what is in `src`: paths from there, folders with a `/` at the
/// end. Each folder and each file beside them has a line, and nothing else has.
pub(crate) fn check(design: &str, rooms: &[String]) -> Vec<String> {
    let mut lacking: BTreeSet<_> = rooms
        .iter()
        .map(String::as_str)
        .filter(|room| room.ends_with('/') || !room.contains('/'))
        .filter(|room| !matches!(*room, "lib.rs" | "main.rs" | "DESIGN.md"))
        .collect();
    let mut faults = Vec::new();
    let section = design.split(HEADING).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    for room in section.lines().filter_map(room) {
        if !lacking.remove(room) {
            faults.push(format!("{DESIGN}: `{room}` is no folder of src, or named twice"));
        }
    }
    faults.extend(lacking.iter().map(|room| format!("{DESIGN}: no line for `{room}`")));
    let lost = paths(design).filter(|path| !rooms.iter().any(|room| room == path));
    faults.extend(lost.map(|path| format!("{DESIGN}: `{path}` is not there")));
    faults
}

/// The files of `src` that the text names.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.ends_with(".rs") && !word.contains(' '))
}

/// What a line of the map speaks of.
fn room(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("| `")?.split('`').next()
}
