//! Ids as text: the 27 base-62 digits of a KSUID. Every request carries one, so it is read and
//! written here in a few divisions; the crate that draws ids takes 4 µs with its big numbers.

use crate::machine::SessionId;

/// Length of an id as text.
const ID_LEN: usize = 27;
/// The digits, in ascending order.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What is no digit.
const NONE: u8 = 0xff;
/// The value of each character.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 62 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};
/// 62 to the power of 5: five digits at a time fit 32 bits.
const FIVE_DIGITS: u64 = 62 * 62 * 62 * 62 * 62;

/// The id as five parts of 32 bits, the greatest first.
type Parts = [u64; 5];

/// An id as text.
#[must_use]
pub fn write_id(id: &SessionId) -> String {
    let mut parts = Parts::default();
    for (part, bytes) in parts.iter_mut().zip(id.0.chunks_exact(4)) {
        *part = bytes.iter().fold(0, |part, &byte| part << 8 | u64::from(byte));
    }
    let mut text = ['0'; ID_LEN];
    for five in text.rchunks_mut(5) {
        let mut rest = 0;
        for part in &mut parts {
            let value = rest << 32 | *part;
            *part = value / FIVE_DIGITS;
            rest = value % FIVE_DIGITS;
        }
        for digit in five.iter_mut().rev() {
            let value = usize::try_from(rest % 62).unwrap_or(0);
            *digit = char::from(DIGITS[value]);
            rest /= 62;
        }
    }
    text.iter().collect()
}

/// Reads an id; `None` for what no id looks like, which is then nobody's.
#[must_use]
pub fn read_id(text: &str) -> Option<SessionId> {
    let text: &[u8; ID_LEN] = text.as_bytes().try_into().ok()?;
    let mut parts = Parts::default();
    let (first, rest) = text.split_at(ID_LEN % 5);
    for five in std::iter::once(first).chain(rest.chunks_exact(5)) {
        let mut carry = 0;
        for &digit in five {
            let value = VALUES[usize::from(digit)];
            if value == NONE {
                return None;
            }
            carry = carry * 62 + u64::from(value);
        }
        for part in parts.iter_mut().rev() {
            let value = *part * FIVE_DIGITS + carry;
            *part = value & 0xffff_ffff;
            carry = value >> 32;
        }
        // Beyond the largest id.
        if carry > 0 {
            return None;
        }
    }
    let mut id = [0; 20];
    for (bytes, part) in id.chunks_exact_mut(4).zip(parts) {
        bytes.copy_from_slice(&part.to_be_bytes()[4..]);
    }
    Some(SessionId(id))
}

/// A text as the log may show it: ids are secrets, so whatever looks like one is left out, also
/// where it is percent-encoded, or where it touches other digits.
#[must_use]
pub fn without_ids(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut begin, mut at, mut run) = (0, 0, Run::default());
    loop {
        let (len, byte) = decoded(&text.as_bytes()[at..]);
        if VALUES[usize::from(byte)] != NONE {
            run.add(byte);
            at += len;
            continue;
        }
        shown.push_str(if run.may_have_id() { "…" } else { &text[begin..at] });
        begin = at;
        // What is encoded is shown as it came.
        at += if len > 1 { len } else { text[at..].chars().next().map_or(0, char::len_utf8) };
        if begin == at {
            return shown;
        }
        shown.push_str(&text[begin..at]);
        (begin, run) = (at, Run::default());
    }
}

/// Digits without anything between them.
#[derive(Default)]
struct Run {
    digits: usize,
    has_number: bool,
    has_capital: bool,
    has_small: bool,
}

impl Run {
    fn add(&mut self, digit: u8) {
        self.digits += 1;
        self.has_number |= digit.is_ascii_digit();
        self.has_capital |= digit.is_ascii_uppercase();
        self.has_small |= digit.is_ascii_lowercase();
    }

    /// A longer run may be an id with something that touches it. Ids have digits of all kinds,
    /// which tells them from long words and from checksums.
    fn may_have_id(&self) -> bool {
        let mixed = self.has_number && self.has_capital && self.has_small;
        self.digits == ID_LEN || (self.digits > ID_LEN && mixed)
    }
}

/// How many bytes a text's first byte takes in it, and which it is with all encoding undone. The
/// end of the text is no digit.
fn decoded(text: &[u8]) -> (usize, u8) {
    let Some(&first) = text.first() else { return (0, 0) };
    if first != b'%' {
        return (1, first);
    }
    let mut len = 1;
    while text[len..].starts_with(b"25") {
        len += 2;
    }
    let hex = text.get(len..len + 2).and_then(|hex| std::str::from_utf8(hex).ok());
    match hex.filter(|hex| !hex.starts_with('+')).map(|hex| u8::from_str_radix(hex, 16)) {
        Some(Ok(byte)) => (len + 2, byte),
        _ => (1, first),
    }
}

#[cfg(test)]
mod tests {
    use svix_ksuid::{Ksuid, KsuidLike};

    use super::*;

    #[test]
    fn ids_read_and_write_as_the_crate_does() {
        let mut bytes = [0_u8; 20];
        for round in 0..2000_u32 {
            for (at, byte) in bytes.iter_mut().enumerate() {
                let dice =
                    round.wrapping_mul(2_654_435_761).rotate_left(u32::try_from(at).unwrap());
                *byte = dice.to_le_bytes()[1].wrapping_mul(31);
            }
            let (id, text) = (SessionId(bytes), Ksuid::from_bytes(bytes).to_base62());
            assert_eq!(write_id(&id), text);
            assert_eq!(read_id(&text), Some(id));
        }
    }

    #[test]
    fn ids_survive_the_wire_and_nonsense_is_nobodys() {
        for byte in [0, 1, 0x7f, 0xff] {
            let id = SessionId([byte; 20]);
            assert_eq!(read_id(&write_id(&id)), Some(id));
        }
        let too_long = "z".repeat(28);
        for text in ["", "nope", &too_long[..27], &too_long, "0ujtsYcgvSTl8PAuAdqWYSMnLO/"] {
            assert_eq!(read_id(text), None, "{text}");
        }
        // The largest id, and the text after it.
        let largest = write_id(&SessionId([0xff; 20]));
        assert_eq!(largest, "aWgEPTl1tmebfsQzFP4bxwgy80V");
        assert_eq!(read_id("aWgEPTl1tmebfsQzFP4bxwgy80W"), None);
    }

    #[test]
    fn what_looks_like_an_id_is_not_shown() {
        const ID: &str = "3MVYUZwU1jzrVL6ihH9SHy7QRTe";
        let encoded: String = ID.bytes().map(|digit| format!("%{digit:02x}")).collect();
        let twice = encoded.replace('%', "%25");
        for (text, shown) in [
            (ID.to_owned(), "…"),
            (format!("/api/v1/sessions/{ID}"), "/api/v1/sessions/…"),
            (format!("/Sessions/{ID}/"), "/Sessions/…/"),
            (format!("/sessions%2F{ID}"), "/sessions%2F…"),
            (format!("/sessions%2f{ID}%2F"), "/sessions%2f…%2F"),
            (format!("/x/{ID}?sessid={ID}&x=1"), "/x/…?sessid=…&x=1"),
            (format!("//sessions/{ID}abc"), "//sessions/…"),
            (format!("/x{encoded}"), "/…"),
            (format!("/{twice}"), "/…"),
            (format!("/%33{}", &ID[1..]), "/…"),
            (format!("/%zz-{ID}%"), "/%zz-…%"),
            (format!("/sessions{ID}"), "/…"),
            (format!("ü{ID}ü{ID}"), "ü…ü…"),
            ("/api/v1/locks/db%20x%".to_owned(), "/api/v1/locks/db%20x%"),
            (ID[1..].to_owned(), &ID[1..]),
            (
                "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12".to_owned(),
                "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            ),
            ("TheNightlyImportOfAllCustomers".to_owned(), "TheNightlyImportOfAllCustomers"),
            ("%+1".to_owned(), "%+1"),
            ("%25".to_owned(), "%25"),
            (String::new(), ""),
        ] {
            assert_eq!(without_ids(&text), shown, "{text}");
        }
    }
}
