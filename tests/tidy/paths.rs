//! The paths that code names, resolved as far as one file allows.

use crate::tokens::{Token, is_name, text};

/// A path in the code, resolved as far as one file allows.
pub(crate) struct Named<'a> {
    pub(crate) line: usize,
    pub(crate) path: Target<'a>,
    /// What it is called in this file, if it is imported.
    pub(crate) import: Option<&'a str>,
}

pub(crate) enum Target<'a> {
    /// Something of this package, from the root of the crate.
    Ours(Vec<&'a str>),
    /// Another crate's, or a local name.
    Outside(Vec<&'a str>),
}

/// All paths in `tokens`, which stand in the module `home`. A lone name outside of `use` says
/// nothing: it is a local name, or it was imported.
pub(crate) fn names<'a>(tokens: &[Token<'a>], home: &[&'a str]) -> Vec<Named<'a>> {
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
                if let Some(last) = paths.last_mut()
                    && text(tokens, next) == "as"
                {
                    last.alias = Some(text(tokens, next + 1));
                }
                for Written { line, path, alias } in paths {
                    let import = in_use.then(|| alias.or_else(|| called(&path))).flatten();
                    if in_use || path.len() > 1 {
                        found.push(Named { line, path: resolve(&path, here), import });
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

/// A path as it is written.
pub(crate) struct Written<'a> {
    line: usize,
    path: Vec<&'a str>,
    /// What follows `as`.
    alias: Option<&'a str>,
}

/// What an import is called that is given no other name.
fn called<'a>(path: &[&'a str]) -> Option<&'a str> {
    path.iter().rev().copied().find(|&word| word != "self")
}

/// Reads the path that begins at `at`, group and all, and returns the index behind it.
pub(crate) fn read_path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    paths: &mut Vec<Written<'a>>,
) -> usize {
    let mut path = prefix.to_vec();
    while at < tokens.len() {
        let Token { line, text: word } = tokens[at];
        at += 1;
        if word == "{" && !path.is_empty() {
            while at < tokens.len() && tokens[at].text != "}" {
                at = match tokens[at].text {
                    "," => at + 1,
                    "as" => {
                        if let Some(last) = paths.last_mut() {
                            last.alias = Some(text(tokens, at + 1));
                        }
                        at + 2
                    }
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
            paths.push(Written { line, path, alias: None });
            return at;
        }
        at += 1;
    }
    at
}

/// What a path means when it is written in the module `here`.
pub(crate) fn resolve<'a>(path: &[&'a str], here: &[&'a str]) -> Target<'a> {
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
