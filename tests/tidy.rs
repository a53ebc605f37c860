//! The wall between the layers, and the few habits that neither rustc nor clippy can hold.
//!
//! One package has no compiler wall between its modules, so this reads the source: which layer
//! names which (the table `LAYERS`), what a layer does without (`WITHOUT`), how each file opens
//! and how long it is. It reads tokens, not text, so that comments and strings may say anything.
//! Modules under `#[cfg(test)]` may name what they like. The rest is pure over (path, text).

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// Each layer and the other layers it may name. A new module at the top of `src` gets a row.
const LAYERS: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("deadlines", &["machine"]),
    ("wire", &["machine"]),
    ("journal", &["machine"]),
    ("driver", &["machine", "deadlines", "journal"]),
    ("server", &["driver", "wire", "machine"]),
    ("client", &["wire"]),
    ("cli", &["client", "wire"]),
    ("main", &["cli"]),
];

/// Single modules that may name more than their layer.
const DOORS: &[(&str, &[&str])] = &[("cli::serve", &["server"])];

/// What a layer is deliberately without: crates, and modules of `std`.
const WITHOUT: &[(&str, &[&str])] = &[
    (
        "machine",
        &[
            "serde",
            "serde_json",
            "tokio",
            "tracing",
            "rand",
            "std::time",
            "std::fs",
            "std::net",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
        ],
    ),
    ("deadlines", &["tokio", "std::fs", "std::net"]),
    ("wire", &["tokio", "std::fs", "std::net"]),
    ("driver", &["serde_json", "axum", "hyper"]),
];

/// Tables whose iteration order differs from run to run; in the machine only one file, which
/// never iterates, has them.
const HASHED: &[&str] = &["HashMap", "HashSet", "hash_map", "hash_set"];
const HASHED_HOME: &str = "src/machine/index.rs";

/// Most lines of a file in `src`, without its tests. Half of it is a better aim.
const LINES_MAX: usize = 400;
/// Most characters of a line: rustfmt breaks code there, but neither comments nor strings.
const COLUMNS_MAX: usize = 100;

#[test]
fn the_tree_is_tidy() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for top in ["src", "tests", "benches", "examples"] {
        read_sources(root, Path::new(top), &mut files)?;
    }
    assert!(files.iter().any(|(path, _)| path.starts_with("src/")), "found no source to check");
    let faults = check(&files);
    assert!(faults.is_empty(), "{} to mend:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

/// Adds the path (from `root`, with `/`) and text of every `.rs` file under `dir`, if there is one.
fn read_sources(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    if !root.join(dir).is_dir() {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join(dir))? {
        names.insert(entry?.file_name());
    }
    for path in names.iter().map(|name| dir.join(name)) {
        if root.join(&path).is_dir() {
            read_sources(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            files.push((parts.join("/"), fs::read_to_string(root.join(&path))?));
        }
    }
    Ok(())
}

/// All that is wrong with these files, one line each.
fn check(files: &[(String, String)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let tests: BTreeSet<_> = sources.iter().flat_map(|source| &source.test_files).collect();
    let mut faults = Vec::new();
    for source in &sources {
        source.check_form(&mut faults);
        let is_test = (1..=source.module.len()).any(|n| tests.contains(&source.module[..n].to_vec()));
        if source.path.starts_with("src/") && !is_test {
            source.check_length(&mut faults);
            source.check_names(&mut faults);
        }
    }
    faults
}

/// A file, read into tokens.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    /// Where it stands in the crate: `src/a/b.rs` is `a::b`.
    module: Vec<&'a str>,
    /// The code outside of test modules.
    tokens: Vec<Token<'a>>,
    /// Lines within test modules.
    test_lines: usize,
    /// The modules it declares to be tests and keeps in files of their own.
    test_files: Vec<Vec<&'a str>>,
}

impl<'a> Source<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let stem = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
        let mut module: Vec<_> = stem.split('/').collect();
        if module.last() == Some(&"mod") {
            module.pop();
        }
        let all = tokens(text);
        let mut source =
            Source { path, text, module, tokens: vec![], test_lines: 0, test_files: vec![] };
        let mut at = 0;
        while at < all.len() {
            let Some(test) = TestModule::at(&all, at) else {
                source.tokens.push(all[at]);
                at += 1;
                continue;
            };
            if test.has_body {
                source.test_lines += all[test.end - 1].line - all[at].line + 1;
            } else {
                source.test_files.push([&source.home()[..], &[test.name]].concat());
            }
            at = test.end;
        }
        source
    }

    /// The module that `self` means at the top of this file.
    fn home(&self) -> Vec<&'a str> {
        match self.module[..] {
            ["lib" | "main"] => vec![],
            _ => self.module.clone(),
        }
    }

    /// What holds for every file, tests and benches too.
    fn check_form(&self, faults: &mut Vec<String>) {
        if !self.text.starts_with("//!") {
            faults.push(format!("{}:1: does not open with `//!` and what it is for", self.path));
        }
        for (number, line) in (1..).zip(self.text.lines()) {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                faults.push(format!("{}:{number}: {columns} columns of {COLUMNS_MAX}", self.path));
            }
        }
        for (number, line) in bare_allows(&tokens(self.text)) {
            let advice = "say `expect`, with a reason, in place of `allow`";
            faults.push(format!("{}:{number}: {advice} ({line})", self.path));
        }
    }

    fn check_length(&self, faults: &mut Vec<String>) {
        let lines = self.text.lines().count() - self.test_lines;
        if lines > LINES_MAX {
            faults.push(format!("{}:1: {lines} lines without tests of {LINES_MAX}", self.path));
        }
    }

    /// What a file of a layer may name.
    fn check_names(&self, faults: &mut Vec<String>) {
        let layer = self.module[0];
        if layer == "lib" {
            return;
        }
        let Some(mut may) = row(LAYERS, layer).map(<[_]>::to_vec) else {
            let advice = "give it a row in tests/tidy.rs, and say in src/DESIGN.md why";
            faults.push(format!("{}:1: `{layer}` is no layer: {advice}", self.path));
            return;
        };
        may.push(layer);
        for (door, more) in DOORS {
            if self.module.join("::").split("::").take(2).eq(door.split("::")) {
                may.extend(*more);
            }
        }
        let without = row(WITHOUT, layer).unwrap_or_default();
        for Named { line, path } in names(&self.tokens, &self.home()) {
            let fault = match path {
                Target::Ours(path) => match path.first() {
                    None | Some(&"*") => "names the whole crate; name a layer".to_owned(),
                    Some(first) if may.contains(first) => continue,
                    Some(_) => format!("{layer} may not name `crate::{}`", path.join("::")),
                },
                Target::Outside(path) => {
                    let Some(what) = without.iter().find(|what| leads(what, &path)) else {
                        continue;
                    };
                    format!("{layer} does without `{what}`")
                }
            };
            faults.push(format!("{}:{line}: {fault}", self.path));
        }
        if layer == "machine" && self.path != HASHED_HOME {
            for token in self.tokens.iter().filter(|token| HASHED.contains(&token.text)) {
                let fault = format!("in the machine `{}` is for {HASHED_HOME} only", token.text);
                faults.push(format!("{}:{}: {fault}", self.path, token.line));
            }
        }
    }
}

fn row<'t>(table: &'t [(&str, &'t [&'t str])], key: &str) -> Option<&'t [&'t str]> {
    table.iter().find(|(name, _)| *name == key).map(|(_, row)| *row)
}

/// Whether `path` is `what` or lies in it; `core` and `alloc` are `std` by other names.
fn leads(what: &str, path: &[&str]) -> bool {
    let mut path = path.to_vec();
    if matches!(path[0], "core" | "alloc") {
        path[0] = "std";
    }
    let what: Vec<_> = what.split("::").collect();
    path.starts_with(&what)
}

/// Every `#[allow(…)]`, with its line and what it allows.
fn bare_allows<'a>(tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "allow") {
        let before: Vec<_> = tokens[..at].iter().rev().take(3).map(|token| token.text).collect();
        let opens = matches!(before[..], ["[", "#", ..] | ["[", "!", "#"]);
        if opens && text(tokens, at + 1) == "(" {
            found.push((token.line, text(tokens, at + 2)));
        }
    }
    found
}

/// A `#[cfg(test)] mod name { … }` or `#[cfg(test)] mod name;`.
struct TestModule<'a> {
    name: &'a str,
    has_body: bool,
    /// Index of the first token after it.
    end: usize,
}

impl<'a> TestModule<'a> {
    fn at(tokens: &[Token<'a>], start: usize) -> Option<Self> {
        let opening = ["#", "[", "cfg", "(", "test", ")", "]"];
        if (0..).zip(opening).any(|(n, expected)| text(tokens, start + n) != expected) {
            return None;
        }
        let mut at = start + opening.len();
        loop {
            at = match text(tokens, at) {
                "#" => after_group(tokens, at + 1),
                "pub" if text(tokens, at + 1) == "(" => after_group(tokens, at + 1),
                "pub" => at + 1,
                "mod" => break,
                _ => return None,
            }
        }
        let has_body = text(tokens, at + 2) == "{";
        let end = if has_body { after_group(tokens, at + 2) } else { at + 3 };
        Some(TestModule { name: text(tokens, at + 1), has_body, end: end.min(tokens.len()) })
    }
}

/// The index behind the bracket that closes the one at `at`.
fn after_group(tokens: &[Token<'_>], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// A path in the code, resolved as far as one file allows.
struct Named<'a> {
    line: usize,
    path: Target<'a>,
}

enum Target<'a> {
    /// Something of this package, from the root of the crate.
    Ours(Vec<&'a str>),
    /// Another crate's, or a local name.
    Outside(Vec<&'a str>),
}

/// All paths in `tokens`, which stand in the module `home`. A lone name outside of `use` says
/// nothing: it is a local name, or it was imported.
fn names<'a>(tokens: &[Token<'a>], home: &[&'a str]) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    // Per open brace, the modules we are in: `super` means something else in an inline module.
    let mut scopes = vec![home.to_vec()];
    let mut in_use = false;
    let mut at = 0;
    while at < tokens.len() {
        let here = scopes.last().map_or(home, Vec::as_slice);
        match tokens[at].text {
            "use" => in_use = text(tokens, at + 1) != "<",
            "extern" if text(tokens, at + 1) == "crate" => {
                in_use = true;
                at += 1;
            }
            ";" => in_use = false,
            "{" if at > 1 && tokens[at - 2].text == "mod" => {
                scopes.push([here, &[tokens[at - 1].text]].concat());
            }
            "{" => scopes.push(here.to_vec()),
            "}" => drop(scopes.pop()),
            _ => {
                let mut paths = Vec::new();
                let next = read_path(tokens, at, &[], &mut paths);
                for (line, path) in paths {
                    if in_use || path.len() > 1 {
                        found.push(Named { line, path: resolve(&path, here) });
                    }
                }
                at = next;
                continue;
            }
        }
        at += 1;
    }
    found
}

/// Reads the path that begins at `at`, group and all, and returns the index behind it.
fn read_path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    paths: &mut Vec<(usize, Vec<&'a str>)>,
) -> usize {
    let mut path = prefix.to_vec();
    while at < tokens.len() {
        let Token { line, text: word } = tokens[at];
        at += 1;
        if word == "{" && !path.is_empty() {
            while at < tokens.len() && tokens[at].text != "}" {
                at = read_path(tokens, at, &path, paths);
            }
            return at + 1;
        }
        let is_glob = word == "*" && !path.is_empty();
        if !is_glob && !word.starts_with(is_word) {
            return at;
        }
        path.push(word);
        let goes_on = text(tokens, at + 1);
        if text(tokens, at) != "::" || !(goes_on == "{" || goes_on == "*" || is_name(goes_on)) {
            paths.push((line, path));
            return at;
        }
        at += 1;
    }
    at
}

fn resolve<'a>(path: &[&'a str], here: &[&'a str]) -> Target<'a> {
    let mut base = match path[0] {
        "crate" | "ticketd" => vec![],
        "self" | "super" => here.to_vec(),
        _ => return Target::Outside(path.to_vec()),
    };
    for &word in path {
        match word {
            "crate" | "ticketd" | "self" => {}
            "super" => drop(base.pop()),
            _ => base.push(word),
        }
    }
    Target::Ours(base)
}
