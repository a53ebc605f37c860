//! Files that name each other, by whatever way.

use super::tree;

const LIB: (&str, &str) = ("src/lib.rs", "//! L.\npub mod wire;\n");

#[track_caller]
fn found(files: &[(&str, &str)], circle: &str) {
    let whole: Vec<_> = [LIB].iter().chain(files).copied().collect();
    assert_eq!(tree(&whole), [format!("{circle}: names itself by a circle")]);
}

#[track_caller]
fn none(files: &[(&str, &str)]) {
    let whole: Vec<_> = [LIB].iter().chain(files).copied().collect();
    assert_eq!(tree(&whole), [""; 0]);
}

#[test]
fn two_files_that_name_each_other() {
    let root = ("src/wire/mod.rs", "//! M.\nmod a;\nmod b;\n");
    let b = ("src/wire/b.rs", "//! B.\npub struct B(super::a::A);\n");
    for text in [
        "//! A.\nuse super::b::B;",
        "//! A.\nuse crate::wire::b;\nfn f(b: b::B) {}",
        "//! A.\nuse crate::wire::{b as other};\n\nfn f(b: other::B) {}",
        "//! A.\nuse super::b::*;",
        "//! A.\nfn f(b: super::b::B) {}",
        "//! A.\nuse crate::{wire::{b::{B as C}}};",
    ] {
        let line = if text.contains("\n\n") {
            4
        } else if text.contains("b::B)") {
            3
        } else {
            2
        };
        let line = if text.contains("fn f(b: super") { 2 } else { line };
        found(
            &[root, ("src/wire/a.rs", text), b],
            &format!("src/wire/a.rs:{line} → src/wire/b.rs:2"),
        );
    }
}

#[test]
fn a_name_is_followed_to_where_it_is_defined() {
    let root = ("src/wire/mod.rs", "//! M.\nmod a;\nmod b;\npub use b::B as Better;\n");
    let b = ("src/wire/b.rs", "//! B.\nuse crate::wire::a::A;\npub struct B(A);\n");
    let a = ("src/wire/a.rs", "//! A.\npub struct A;\nfn f() -> crate::wire::Better {}\n");
    found(&[root, a, b], "src/wire/a.rs:3 → src/wire/b.rs:2");
}

#[test]
fn a_parent_that_defines_what_its_child_names() {
    let root = ("src/wire/mod.rs", "//! M.\nmod a;\npub use a::A;\npub struct M;\n");
    let a = ("src/wire/a.rs", "//! A.\nuse super::M;\npub struct A(M);\n");
    found(&[root, a], "src/wire/mod.rs:3 → src/wire/a.rs:2");
}

#[test]
fn a_parent_that_passes_on_is_none() {
    let root = ("src/wire/mod.rs", "//! M.\nmod a;\nmod b;\npub use a::A;\npub use b::B;\n");
    let a = ("src/wire/a.rs", "//! A.\npub struct A;\nimpl A { fn f(self) { super::a::A; } }\n");
    let b = ("src/wire/b.rs", "//! B.\nuse super::A;\npub struct B(A);\n");
    none(&[root, a, b]);
}

#[test]
fn a_circle_of_tests_is_none() {
    let root = ("src/wire/mod.rs", "//! M.\nmod a;\nmod b;\n");
    let a = (
        "src/wire/a.rs",
        "//! A.\npub struct A;\n#[cfg(test)]\nmod tests { use super::super::b::B; }\n",
    );
    let b = ("src/wire/b.rs", "//! B.\nuse super::a::A;\npub struct B(A);\n");
    none(&[root, a, b]);
}
