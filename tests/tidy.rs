//! The wall between the layers, and the few habits that neither rustc nor clippy can hold.
//!
//! One package has no compiler wall between its modules, so this reads the source: which layer
//! names which (the table `LAYERS`), what a layer does without (`WITHOUT`), how each file opens
//! and how long it is. It reads tokens, not text, so that comments and strings may say anything.
//! Modules under `#[cfg(test)]` may name what they like. All but the walk is pure.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// Each layer and the other layers it may name. A new module at the top of `src` gets a row.
const LAYERS: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("notices", &[]),
    ("deadlines", &["machine"]),
    ("wire", &["machine"]),
    ("journal", &["machine"]),
    ("driver", &["machine", "deadlines", "journal", "notices"]),
    ("server", &["driver", "wire", "machine", "notices"]),
    ("client", &["wire"]),
    ("cli", &["client", "wire"]),
    ("main", &["cli"]),
];

/// Single modules that may name more than their layer does.
const DOORS: &[(&[&str], &[&str])] = &[
    (&["cli", "serve"], &["server"]),
    (&["cli", "check"], &["journal"]),
    (&["cli", "backup"], &["journal"]),
];

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
    ("journal", &["serde", "tokio", "tracing", "rand", "std::net", "std::thread", "std::env"]),
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
    let tests: Vec<_> = sources.iter().flat_map(|source| &source.test_files).collect();
    let mut faults = Vec::new();
    for source in &sources {
        source.check_form(&mut faults);
        let is_test = tests.iter().any(|test| source.module.starts_with(test));
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
        for line in bare_allows(&tokens(self.text)) {
            faults.push(format!("{}:{line}: `allow`; say `expect`, with a reason", self.path));
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
            if self.module.starts_with(door) {
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
                at = match tokens[at].text {
                    "," => at + 1,
                    "as" => at + 2,
                    _ => read_path(tokens, at, &path, paths),
                };
            }
            return at + 1;
        }
        let is_glob = word == "*" && !path.is_empty();
        if !is_glob && !is_name(word) {
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

/// What a path means when it is written in the module `here`.
fn resolve<'a>(path: &[&'a str], here: &[&'a str]) -> Target<'a> {
    let (mut ours, rest) = match path[0] {
        "crate" | "ticketd" => (vec![], &path[1..]),
        "self" | "super" => (here.to_vec(), path),
        _ => return Target::Outside(path.to_vec()),
    };
    for &word in rest {
        match word {
            "self" => {}
            "super" => drop(ours.pop()),
            _ => ours.push(word),
        }
    }
    Target::Ours(ours)
}

/// A word, a `::` or one other character of code.
#[derive(Clone, Copy)]
struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// The text of the token at `at`; empty behind the last.
fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_name(token: &str) -> bool {
    token.starts_with(is_word)
}

/// The code in `text`, without space, comments, strings and characters.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let skipped = skip(rest, first);
        let length = match skipped {
            Some(length) => length,
            None if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            None if rest.starts_with("::") => 2,
            None => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        if skipped.is_none() {
            found.push(Token { line, text: piece });
        }
        line += piece.matches('\n').count();
        rest = after;
    }
    found
}

/// Length of what `text` begins with, if that is no code.
fn skip(text: &str, first: char) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    match first {
        'r' | 'b' | 'c' => raw(text),
        '"' => Some(quoted(text, '"')),
        '\'' => match text[1..].chars().next() {
            Some('\\') => Some(quoted(text, '\'')),
            Some(c) if text[1 + c.len_utf8()..].starts_with('\'') => Some(2 + c.len_utf8()),
            // The tick of a lifetime.
            _ => Some(1),
        },
        _ => first.is_whitespace().then_some(first.len_utf8()),
    }
}

/// Length of a comment, those within it too.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        match text.as_bytes()[at..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a raw string, or of the `r#` of a raw name.
fn raw(text: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let body = after.trim_start_matches('#');
    let hashes = &after[..after.len() - body.len()];
    let opening = text.len() - body.len();
    if !body.starts_with('"') {
        return (text.starts_with("r#") && body.starts_with(is_word)).then_some(opening);
    }
    let end = format!("\"{hashes}");
    let length = body[1..].find(&end).map_or(body.len(), |at| 1 + at + end.len());
    Some(opening + length)
}

/// Length of a string or character with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of one file that opens as it should, each without the path.
    fn faults(path: &str, code: &str) -> Vec<String> {
        tree(&[(path, &format!("//! A file.\n{code}"))])
            .iter()
            .map(|fault| fault.trim_start_matches(path).to_owned())
            .collect()
    }

    fn tree(files: &[(&str, &str)]) -> Vec<String> {
        let own = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
        check(&files.iter().map(own).collect::<Vec<_>>())
    }

    #[track_caller]
    fn refused(path: &str, code: &str, fault: &str) {
        assert_eq!(faults(path, code), [fault], "{path}: {code}");
    }

    #[track_caller]
    fn fine(path: &str, code: &str) {
        assert_eq!(faults(path, code), [""; 0], "{path}: {code}");
    }

    #[test]
    fn an_arrow_back_is_found_however_it_is_written() {
        let back = ":2: machine may not name `crate::server::Config`";
        for code in [
            "use crate::server::Config;",
            "use crate::server::Config as Innocent;",
            "pub(crate) use crate::server::Config;",
            "use crate::{machine::names, server::Config};",
            "use crate::{machine::{self as m, names}, server::{Config}};",
            "use {crate::machine, crate::server::Config};",
            "use ::ticketd::server::Config;",
            "use ticketd::{server::Config};",
            "use super::super::server::Config;",
            "use super::{super::server::Config, tables};",
            "use self::super::super::server::Config;",
            "fn f() { crate::server::Config::<u8>(1) }",
            "fn f(x: &crate::server::Config) -> u8 { x.0 }",
            "fn f() { 1 as crate::server::Config }",
            "impl From<crate::server::Config> for Id {}",
            "macro_rules! m { () => { $crate::server::Config } }",
            "mod inner { use super::super::super::server::Config; }",
            "mod a {} use super::super::server::Config;",
            "use crate::r#server::Config;",
            "const C: char = '\"'; use crate::server::Config; const S: &str = \"\";",
            "fn f<'a>(x: &'a str) {} use crate::server::Config; const C: char = 'a';",
            "#[cfg(test)] use crate::server::Config;",
            "#[test] fn t() { crate::server::Config }",
        ] {
            let found = faults("src/machine/claim.rs", code);
            assert_eq!(found.len(), 1, "{code}: {found:?}");
            assert!(found[0].starts_with(back), "{code}: {found:?}");
        }
    }

    #[test]
    fn the_line_of_a_grouped_import_is_that_of_the_name() {
        let code = "use crate::{\n    machine::{\n        names,\n    },\n    driver,\n};";
        refused("src/wire/code.rs", code, ":6: wire may not name `crate::driver`");
    }

    #[test]
    fn the_root_is_no_way_round() {
        let whole = ":2: names the whole crate; name a layer";
        refused("src/machine/claim.rs", "use crate::*;", whole);
        refused("src/machine/claim.rs", "use crate as all;", whole);
        refused("src/machine/claim.rs", "use crate::{self as all};", whole);
        refused("src/machine/claim.rs", "use super::super as all;", whole);
        refused("src/machine.rs", "use super::*;", whole);
        let exported = ":2: machine may not name `crate::Config`";
        refused("src/machine/mod.rs", "use crate::Config;", exported);
    }

    #[test]
    fn harmless_text_is_left_alone() {
        for code in [
            "use crate::machine::names::Fence;\nuse super::names;\nuse super::*;",
            "use crate::machine::{self as m, names as n};",
            "pub(crate) mod a;\npub(super) fn f() {}\npub(in crate::machine) fn g() {}",
            "// use crate::server::X;\n/* /* nested */ crate::server::X */",
            "/// See [`crate::server::X`].\nfn f() {}",
            "const A: &str = \"use crate::server::X; \\\" crate::server\";",
            "const A: &str = r#\"\" crate::server::X \"#;\nconst B: &[u8] = br\"crate::server\";",
            "fn f() -> impl Fn() + use<'static> { let server = 1; server.driver(rand) }",
            "mod server { pub use super::super::claim; }\nuse self::server::claim;",
            "#[cfg(test)]\nmod tests { use crate::server::X; use std::collections::HashMap; }",
            "#[cfg(test)]\n#[expect(clippy::x, reason = \"\")]\npub(crate) mod t { use tokio::x; }",
        ] {
            fine("src/machine/claim.rs", code);
        }
        fine("src/lib.rs", "pub mod machine;\npub use server::Config;\nuse crate::driver;");
        fine("tests/it/main.rs", "use ticketd::{server, driver};\nuse std::collections::HashMap;");
    }

    #[test]
    fn each_layer_names_what_its_row_says() {
        for (layer, may) in LAYERS {
            for (other, _) in LAYERS {
                let code = format!("use crate::{other}::X;");
                let fault = format!(":2: {layer} may not name `crate::{other}::X`");
                let path = format!("src/{layer}/file.rs");
                if layer == other || may.contains(other) {
                    fine(&path, &code);
                } else {
                    refused(&path, &code, &fault);
                }
            }
        }
    }

    #[test]
    fn only_serve_opens_the_door_to_the_server() {
        fine("src/cli/serve.rs", "use crate::server::run;");
        fine("src/cli/serve/config.rs", "use crate::server::run;");
        let closed = ":2: cli may not name `crate::server::run`";
        refused("src/cli/claim.rs", "use crate::server::run;", closed);
        refused("src/cli.rs", "use crate::server::run;", closed);
        fine("src/main.rs", "fn main() { ticketd::cli::run() }");
        let main = ":2: main may not name `crate::server::run`";
        refused("src/main.rs", "fn main() { ticketd::server::run() }", main);
    }

    #[test]
    fn a_new_layer_needs_a_row() {
        let found = faults("src/util.rs", "");
        assert!(found[0].starts_with(":1: `util` is no layer"), "{found:?}");
    }

    #[test]
    fn layers_do_without_what_they_promise() {
        let time = ":2: machine does without `std::time`";
        refused("src/machine/claim.rs", "use std::time::Duration;", time);
        refused("src/machine/claim.rs", "use std::{fmt, time};", time);
        refused("src/machine/claim.rs", "fn f() { core::time::Duration::ZERO }", time);
        let serde = ":2: machine does without `serde`";
        refused("src/machine/claim.rs", "use serde;", serde);
        refused("src/machine/claim.rs", "#[derive(serde::Serialize)] struct A;", serde);
        refused("src/machine/claim.rs", "extern crate serde;", serde);
        refused("src/wire/a.rs", "use std::net::IpAddr;", ":2: wire does without `std::net`");
        refused(
            "src/deadlines.rs",
            "#[tokio::test] fn f() {}",
            ":2: deadlines does without `tokio`",
        );
        refused("src/driver/a.rs", "use axum::Router;", ":2: driver does without `axum`");
        fine("src/driver/a.rs", "use tokio::sync::Notify;\nuse std::time::Duration;");
        fine("src/wire/a.rs", "use serde_json::Value;\nuse std::collections::HashMap;");
    }

    #[test]
    fn hashed_tables_stay_where_nobody_iterates() {
        let fault = ":2: in the machine `HashMap` is for src/machine/index.rs only";
        refused("src/machine/tables.rs", "use std::collections::HashMap;", fault);
        refused("src/machine/tables.rs", "use std::collections::{BTreeMap, HashMap};", fault);
        fine("src/machine/index.rs", "use std::collections::HashMap;");
    }

    #[test]
    fn tests_in_files_of_their_own_are_tests() {
        let test = ("src/machine/tests.rs", "//! Tests.\nuse crate::server::X;\n");
        let below = ("src/machine/tests/more.rs", "//! Tests.\nuse crate::server::X;\n");
        let declared = ("src/machine.rs", "//! M.\n#[cfg(test)]\nmod tests;\n");
        assert_eq!(tree(&[test, below, declared]), [""; 0]);
        let shipped = ("src/machine.rs", "//! M.\nmod tests;\n");
        assert_eq!(tree(&[test, below, shipped]).len(), 2);
    }

    #[test]
    fn files_say_what_they_are_for() {
        let fault = "src/wire.rs:1: does not open with `//!` and what it is for";
        assert_eq!(tree(&[("src/wire.rs", "use std::fmt;\n//! Late.\n")]), [fault]);
        assert_eq!(tree(&[("benches/a.rs", "")]).len(), 1);
    }

    #[test]
    fn length_is_counted_without_tests() {
        let full = "\n".repeat(LINES_MAX - 1);
        fine("src/wire/a.rs", &full);
        fine("src/wire/a.rs", &format!("{full}#[cfg(test)]\nmod tests {{\n\n\n}}\n"));
        refused("src/wire/a.rs", &format!("{full}\n"), ":1: 401 lines without tests of 400");
        let behind = format!("#[cfg(test)]\nmod tests {{\n}}\n{full}\n");
        refused("src/wire/a.rs", &behind, ":1: 401 lines without tests of 400");
        fine("tests/it/main.rs", &format!("{full}\n"));
    }

    #[test]
    fn lines_are_counted_in_characters() {
        fine("tests/it/main.rs", &format!("// {}\n", "é".repeat(97)));
        refused("tests/it/main.rs", &format!("// {}\n", "é".repeat(98)), ":2: 101 columns of 100");
    }

    #[test]
    fn allow_is_not_expect() {
        let fault = ":2: `allow`; say `expect`, with a reason";
        refused("src/wire/a.rs", "#[allow(dead_code)]\nfn f() {}", fault);
        refused("tests/it/main.rs", "#![allow(dead_code, reason = \"no\")]", fault);
        refused(
            "src/wire/a.rs",
            "#[cfg(test)] mod t {}\n #[allow(x)] fn f() {}",
            &fault.replace('2', "3"),
        );
        fine("src/wire/a.rs", "#[expect(dead_code, reason = \"soon\")]\nfn allow(x: u8) {}");
        fine("src/wire/a.rs", "// #[allow(x)]\nconst A: &str = \"#[allow(x)]\";");
    }
}
