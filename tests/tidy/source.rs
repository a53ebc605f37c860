//! A file of Rust, read: where it stands in the crate, its code, and which of it are tests.

use crate::tokens::{Token, after_group, text, tokens};

/// A file, read into tokens.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// Where it stands in the crate: `src/a/b.rs` is `a::b`.
    pub(crate) module: Vec<&'a str>,
    /// The code outside of test modules.
    pub(crate) tokens: Vec<Token<'a>>,
    /// Lines within test modules.
    test_lines: usize,
    /// The modules it declares to be tests and keeps in files of their own.
    pub(crate) test_files: Vec<Vec<&'a str>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
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
    pub(crate) fn home(&self) -> Vec<&'a str> {
        match self.module[..] {
            ["lib" | "main"] => vec![],
            _ => self.module.clone(),
        }
    }

    /// Lines without those of its test modules.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count() - self.test_lines
    }
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
