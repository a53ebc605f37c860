//! Frames that nobody should send: random bytes, random JSON, valid frames with holes in them.
//! And a second opinion on what is a JSON object, by the letter of RFC 8259.

use crate::rng::Rng;

/// Frames that make sense.
const VALID: &[&str] = &[
    r#"{"id":1,"op":"hello","name":"worker 1","ttl":10000,"liveness":"beat"}"#,
    r#"{"id":2,"op":"hello","session":"0ujtsYcgvSTl8PAuAdqWYSMnLOv","attempt":3}"#,
    r#"{"id":3,"op":"beat"}"#,
    r#"{"id":4,"op":"session"}"#,
    r#"{"id":5,"op":"bye"}"#,
    r#"{"id":6,"op":"lock","resource":"db"}"#,
    r#"{"id":7,"op":"unlock","resource":"db","fence":4711}"#,
    r#"{"id":8,"op":"claim","resource":"jobs","ticket":"a"}"#,
    r#"{"id":9,"op":"release","resource":"jobs","ticket":"a","fence":9007199254740991}"#,
    r#"{"id":10,"op":"issue","resource":"jobs","ticket":"a","data":"\u00e9\n","notify":true}"#,
    r#"{"id":11,"op":"issue","resource":"jobs","ticket":"b","data64":"/w=="}"#,
    r#"{"id":12,"op":"revoke","resource":"jobs","ticket":"a"}"#,
    r#"{"id":13,"op":"cancel","wait":17}"#,
    r#"{"id":14,"op":"watch","resource":"jobs","changes":true}"#,
    r#"{"id":9007199254740991,"op":"unwatch","resource":"jobs"}"#,
    r#"{"id":16,"op":"hello","name":"a","delay":5000,"blocking":true}"#,
    r#"{"id":17,"op":"lock","resource":"db","mode":"shared","wait":true,"progress":true}"#,
    r#"{"id":18,"op":"lock","resource":"db","data":"here","fence":4711}"#,
    r#"{"id":19,"op":"lock","resource":"db","data64":"/w==","steal":true}"#,
    r#"{"id":20,"op":"unlock","resource":"db","force":true,"fence":4711}"#,
    r#"{"id":21,"op":"claim","resources":["urgent","jobs"],"wait":500,"hold":30000}"#,
    r#"{"id":22,"op":"touch","resource":"jobs","ticket":"a","fence":4711,"hold":100}"#,
    r#"{"id":23,"op":"release","resource":"jobs","ticket":"a","delay":60000,"note":"\u00e9"}"#,
    r#"{"id":24,"op":"release","resource":"jobs","ticket":"a","dead":true,"untried":false}"#,
    r#"{"id":25,"op":"release","resource":"jobs","ticket":"a","force":true}"#,
    r#"{"id":26,"op":"issue","resource":"jobs","ticket":"a","stay":true,"new":true,"priority":9}"#,
    r#"{"id":27,"op":"issue","resource":"jobs","ticket":"a","delay":1,"attempts":3,"hold":100}"#,
    r#"{"id":28,"op":"revoke","resource":"jobs","ticket":"a","fence":4711}"#,
    r#"{"id":29,"op":"revive","resource":"jobs","ticket":"a"}"#,
    r#"{"id":30,"op":"pause","resource":"jobs","paused":true}"#,
    r#"{"id":31,"op":"look","resource":"jobs","limit":1000}"#,
    r#"{ "id" : 15 , "op" : "lock" , "resource" : "db" , "x" : [ {} , null , -1.5e3 ] }"#,
];

/// Names and values that a frame may have, some of them in no proper type.
const KEYS: &[&str] = &[
    "id",
    "op",
    "resource",
    "ticket",
    "wait",
    "fence",
    "data",
    "data64",
    "notify",
    "changes",
    "name",
    "ttl",
    "session",
    "attempt",
    "liveness",
    "mode",
    "steal",
    "force",
    "hold",
    "progress",
    "resources",
    "priority",
    "delay",
    "attempts",
    "note",
    "dead",
    "untried",
    "stay",
    "new",
    "paused",
    "blocking",
    "limit",
    "x",
    "",
    "\\u0069d",
    "\\ud800",
    "é",
];
const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "-0",
    "1.5",
    "1e3",
    "1e400",
    "-1e400",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "00",
    "1.",
    ".5",
    "+1",
    "NaN",
    "true",
    "false",
    "null",
    "nul",
    "\"\"",
    "\"lock\"",
    "\"hello\"",
    "\"issue\"",
    "\"claim\"",
    "\"shared\"",
    "[\"a\",\"b\"]",
    "[\"a\",\"\\ud800\"]",
    "[\"a\",[\"b\"]]",
    "[\"a\",1e400]",
    "\"db\"",
    "\"beat\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\x\"",
    "\"\\",
    "\"\u{1}\"",
    "\"\u{7f}\"",
    "\"\u{2028}\"",
    "'a'",
    "[]",
    "{}",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "[[[[]]]]",
    "{\"id\":7}",
    "\"/w==\"",
    "\"/w\"",
];
const BYTES: &[u8] = b"{}[]\",:\\/ \t\n\r0123456789eE+-.truefalsn\x00\x1f\x7f\xc3\xa9\xff";

/// A frame of any sort.
pub(super) fn frame(rng: &mut Rng) -> String {
    match rng.below(20) {
        0 => noise(rng, 80),
        1 => (0..rng.below(60)).map(|_| char::from(pick(rng, BYTES) & 0x7f)).collect(),
        2..5 => value(rng, 5),
        5..9 => object(rng, 4),
        9 => nested(rng),
        10 => format!("{}{}{}", space(rng), pick(rng, VALID), space(rng)),
        11 => format!("{}{}", pick(rng, VALID), pick(rng, VALUES)),
        _ => mutated(rng),
    }
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    *rng.pick(of).expect("there is one")
}

fn space(rng: &mut Rng) -> &'static str {
    pick(rng, &["", "", " ", "\n\t\r ", "\u{a0}", "\u{feff}", "\u{b}"])
}

/// Any bytes, as far as they are text.
fn noise(rng: &mut Rng, most: usize) -> String {
    let bytes: Vec<u8> = (0..rng.below(most)).map(|_| rng.next().to_le_bytes()[0]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn value(rng: &mut Rng, depth: usize) -> String {
    match rng.below(8) {
        0 if depth > 0 => object(rng, depth - 1),
        1 if depth > 0 => {
            let items: Vec<_> = (0..rng.below(4)).map(|_| value(rng, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        2 => format!("{}", rng.next()),
        3 => format!("-{}.{}e{}", rng.below(100), rng.next(), rng.below(500)),
        4 => {
            let long = "a".repeat(rng.below(1100));
            format!("\"{long}\"")
        }
        _ => pick(rng, VALUES).to_owned(),
    }
}

fn object(rng: &mut Rng, depth: usize) -> String {
    let members: Vec<_> = (0..rng.below(6))
        .map(|_| format!("{}\"{}\":{}", space(rng), pick(rng, KEYS), value(rng, depth)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Deep, and sometimes not closed again; as a member's value or not.
fn nested(rng: &mut Rng) -> String {
    let most = if rng.chance(1, 50) { 15_000 } else { 300 };
    let depth = rng.below(most);
    let (open, close) = pick(rng, &[("[", "]"), ("{\"id\":", "}"), ("[{\"\":", "}]")]);
    let core = pick(rng, VALUES);
    let closed = if rng.chance(1, 4) { rng.below(depth + 2) } else { depth };
    let nest = format!("{}{core}{}", open.repeat(depth), close.repeat(closed));
    match rng.below(3) {
        0 => nest,
        _ => format!(r#"{{"id":5,"{}":{nest},"op":"beat"}}"#, pick(rng, KEYS)),
    }
}

/// A valid frame with a few holes, swaps and repeats.
fn mutated(rng: &mut Rng) -> String {
    let mut bytes = pick(rng, VALID).as_bytes().to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len());
        match rng.below(6) {
            0 => bytes[at] = pick(rng, BYTES),
            1 => bytes[at] ^= 1 << rng.below(8),
            2 => bytes.insert(at, pick(rng, BYTES)),
            3 => {
                bytes.truncate(at + 1);
            }
            4 => {
                let end = at + rng.below(bytes.len() - at);
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                // A value of another type, or a member once more.
                let member = format!(",\"{}\":{}", pick(rng, KEYS), value(rng, 2));
                let end = bytes.len() - 1;
                bytes.splice(end..end, member.into_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a text is one JSON object by the grammar of RFC 8259, whatever its numbers and escapes
/// mean, however deep it is.
pub(super) fn is_object(text: &str) -> bool {
    let mut json = Json { rest: text.as_bytes() };
    json.skip_space();
    json.rest.first() == Some(&b'{') && json.document().is_some() && json.rest.is_empty()
}

struct Json<'a> {
    rest: &'a [u8],
}

impl Json<'_> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.rest.first() == Some(&byte);
        if there {
            self.next();
        }
        there
    }

    /// A value and the space behind it, without recursion.
    fn document(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            self.skip_space();
            match self.next()? {
                b'{' => {
                    self.skip_space();
                    if !self.takes(b'}') {
                        self.key()?;
                        open.push(b'}');
                        continue;
                    }
                }
                b'[' => {
                    self.skip_space();
                    if !self.takes(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                b'-' => {
                    let first = self.next()?;
                    self.number(first)?;
                }
                first => self.number(first)?,
            }
            // Behind a value.
            loop {
                self.skip_space();
                let Some(close) = open.last() else { return Some(()) };
                match self.next()? {
                    b',' if *close == b'}' => {
                        self.skip_space();
                        self.key()?;
                        break;
                    }
                    b',' => break,
                    byte if byte == *close => {
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.takes(b'"').then_some(())?;
        self.string()?;
        self.skip_space();
        self.takes(b':').then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'u' => {
                        for _ in 0..4 {
                            self.next()?.is_ascii_hexdigit().then_some(())?;
                        }
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    _ => return None,
                },
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
        count
    }

    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                self.digits();
            }
            _ => return None,
        }
        if self.takes(b'.') && self.digits() == 0 {
            return None;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            (self.digits() > 0).then_some(())?;
        }
        Some(())
    }
}
