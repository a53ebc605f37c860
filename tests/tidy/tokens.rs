//! Rust's text as tokens: without space, comments, strings and characters.

/// A word, a `::` or one other character of code.
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The text of the token at `at`; empty behind the last.
pub(crate) fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

pub(crate) fn is_name(token: &str) -> bool {
    token.starts_with(is_word)
}

/// The code in `text`, without space, comments, strings and characters.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
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

/// The index behind the bracket that closes the one at `at`.
pub(crate) fn after_group(tokens: &[Token<'_>], mut at: usize) -> usize {
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
