//! How each file opens, how long it and its lines are, and that no lint is switched off in silence.

use crate::source::Source;
use crate::tokens::{Token, text, tokens};

/// Most lines of a file, without the tests in it. A third of it is a better aim.
pub(crate) const LINES_MAX: usize = 400;
/// Most characters of a line: rustfmt breaks code there, but neither comments nor strings.
const COLUMNS_MAX: usize = 100;

/// What holds for every file, tests and benches too.
pub(crate) fn check(source: &Source<'_>, faults: &mut Vec<String>) {
    if !source.text.starts_with("//!") {
        faults.push(format!("{}:1: does not open with `//!` and what it is for", source.path));
    }
    let lines = source.lines();
    if lines > LINES_MAX {
        faults.push(format!("{}:1: {lines} lines without tests of {LINES_MAX}", source.path));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            faults.push(format!("{}:{number}: {columns} columns of {COLUMNS_MAX}", source.path));
        }
    }
    for line in bare_allows(&tokens(source.text)) {
        faults.push(format!("{}:{line}: `allow`; say `expect`, with a reason", source.path));
    }
}

/// The lines with an attribute `allow`, inner or outer.
fn bare_allows(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut lines = Vec::new();
    for at in (0..tokens.len()).filter(|&at| text(tokens, at) == "#") {
        let inner = usize::from(text(tokens, at + 1) == "!");
        let opening = ["[", "allow", "("];
        if (at + 1 + inner..).zip(opening).all(|(at, expected)| text(tokens, at) == expected) {
            lines.push(tokens[at].line);
        }
    }
    lines
}
