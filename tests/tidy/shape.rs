//! One name, one type; asserts where mistakes would be made; small files.

use std::collections::BTreeMap;

use crate::source::Source;
use crate::tokens::{is_name, text};

/// Half of the files in `src` are no longer than this.
const MEDIAN_MAX: usize = 130;
/// Fewest asserts in a thousand lines of the machine.
const ASSERTS_MIN: usize = 15;
/// The machine's own check of itself is nothing but asserts, so it does not count.
const CHECK: &str = "src/machine/check.rs";

/// What must hold of the whole tree's shipped files together.
pub(crate) fn check_figures(sources: &[&Source<'_>], faults: &mut Vec<String>) {
    let lines = median(sources.iter().map(|source| source.lines()).collect());
    if lines > MEDIAN_MAX {
        faults.push(format!("src: half of the files have more than {lines} lines of {MEDIAN_MAX}"));
    }
    let machine: Vec<_> =
        sources.iter().filter(|file| file.module[0] == "machine" && file.path != CHECK).collect();
    let asserts = asserts_per_thousand(machine.iter().copied().copied());
    if asserts < ASSERTS_MIN {
        faults.push(format!("src/machine: {asserts} asserts in 1000 lines of {ASSERTS_MIN}"));
    }
}

/// The middle one, or the lower of two.
pub(crate) fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    let middle = numbers.len().saturating_sub(1) / 2;
    numbers.get(middle).copied().unwrap_or_default()
}

/// Asserts outside of tests, held against the lines that may have some.
pub(crate) fn asserts_per_thousand<'s, 'a: 's>(
    sources: impl IntoIterator<Item = &'s Source<'a>>,
) -> usize {
    let (mut asserts, mut lines) = (0, 0);
    for source in sources {
        lines += source.lines();
        let tokens = &source.tokens;
        asserts += (0..tokens.len())
            .filter(|&at| {
                let name = text(tokens, at).trim_start_matches("debug_");
                matches!(name, "assert" | "assert_eq" | "assert_ne") && text(tokens, at + 1) == "!"
            })
            .count();
    }
    asserts * 1000 / lines.max(1)
}

/// A name is given to one type only, in whatever file.
pub(crate) fn check_types(sources: &[&Source<'_>], faults: &mut Vec<String>) {
    let mut homes = BTreeMap::new();
    for source in sources {
        for (line, name) in types(source) {
            let home = *homes.entry(name).or_insert(source.path);
            if home != source.path {
                faults.push(format!("{}:{line}: `{name}` is also a type of {home}", source.path));
            }
        }
    }
}

/// The types that a file defines, but for those of an `impl`, a trait or a function.
fn types<'a>(source: &Source<'a>) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut depth = 0;
    let tokens = &source.tokens;
    for at in 0..tokens.len() {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            "struct" | "enum" | "trait" | "type" | "union" if depth == 0 => {
                let name = text(tokens, at + 1);
                if is_name(name) {
                    found.push((tokens[at].line, name));
                }
            }
            _ => {}
        }
    }
    found
}
