//! One name, one type; the machine asserts; files stay small; the map is true.

use super::tree;
use crate::source::Source;
use crate::{map, shape};

#[test]
fn a_name_is_one_type() {
    let a = ("src/wire/a.rs", "//! A.\npub struct Answer;\nimpl X for Y { type Output = u8; }\n");
    let b = ("src/wire/b.rs", "//! B.\nenum Answer { One }\nimpl X for Z { type Output = u8; }\n");
    let fault = "src/wire/b.rs:2: `Answer` is also a type of src/wire/a.rs";
    assert_eq!(tree(&[a, b]), [fault]);
    let test = ("src/wire/b.rs", "//! B.\n#[cfg(test)]\nmod tests { struct Answer; }\n");
    assert_eq!(tree(&[a, test]), [""; 0]);
}

#[test]
fn the_machine_says_what_it_takes_for_true() {
    let text =
        |asserts| format!("//! A.\n{}{}", "assert!(true);\n".repeat(asserts), "\n".repeat(99));
    assert_eq!(shape::asserts_per_thousand([&Source::new("src/machine/a.rs", &text(1))]), 9);
    let test = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "assert!(true);\n".repeat(9));
    assert_eq!(shape::asserts_per_thousand([&Source::new("src/machine/a.rs", &test)]), 0);
}

#[test]
fn a_median_is_the_middle() {
    assert_eq!(shape::median(vec![5, 1, 3]), 3);
    assert_eq!(shape::median(vec![5, 1, 3, 4]), 3);
}

#[test]
fn the_map_names_each_room_once() {
    let rooms = ["cli/", "cli/log.rs", "lib.rs", "wire/"];
    let map = |text: &str| map::check(text, &rooms.map(str::to_owned));
    let whole =
        "# D\n\n## Where things are\n\n| `cli/` | a |\n| `wire/` | b |\n\n## Why\n\n| `x/` |\n";
    assert_eq!(map(whole), [""; 0]);
    assert_eq!(
        map(&whole.replace("| `wire/` | b |\n", "")),
        ["src/DESIGN.md: no line for `wire/`"]
    );
    assert_eq!(
        map(&whole.replace("`wire/`", "`wire/` | b |\n| `wires/`")),
        ["src/DESIGN.md: `wires/` is no folder of src, or named twice"]
    );
    let named =
        map(&whole.replace("## Why\n", "## Why\n\nSo (`cli/log.rs`), not so (`log.rs`).\n"));
    assert_eq!(named, ["src/DESIGN.md: `log.rs` is not there"]);
}
