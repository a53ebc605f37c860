//! Files say what they are for, and keep to their length; lints are not switched off in silence.

use super::{fine, refused, tree};
use crate::form::LINES_MAX;

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
    refused("tests/it/main.rs", &format!("{full}\n"), ":1: 401 lines without tests of 400");
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
