//! Arrows between layers, however they are written.

use super::{faults, fine, refused};
use crate::layers::LAYERS;

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
    let stream = ":2: wire does without `std::net::TcpStream`";
    refused("src/wire/a.rs", "use std::net::{IpAddr, TcpStream};", stream);
    refused("src/deadlines.rs", "#[tokio::test] fn f() {}", ":2: deadlines does without `tokio`");
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
