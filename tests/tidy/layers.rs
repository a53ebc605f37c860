//! Which layer may name which, and what each does without.

use crate::paths::{Named, Target, names};
use crate::source::Source;

/// Each layer and the other layers it may name. A new module at the top of `src` gets a row.
pub(crate) const LAYERS: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("notices", &["meters"]),
    ("meters", &[]),
    ("deadlines", &["machine"]),
    ("access", &["machine"]),
    ("audit", &["machine", "meters"]),
    ("wire", &["machine"]),
    ("log", &["machine"]),
    ("journal", &["log", "machine"]),
    (
        "driver",
        &["machine", "access", "audit", "deadlines", "log", "journal", "notices", "meters"],
    ),
    ("server", &["driver", "wire", "machine", "access", "audit", "notices", "meters"]),
    ("client", &["wire"]),
    ("cli", &["client", "wire"]),
    ("main", &["cli"]),
];

/// Single modules that may name more than their layer does.
const DOORS: &[(&[&str], &[&str])] = &[
    (&["cli", "serve"], &["server", "access"]),
    (&["cli", "check"], &["journal"]),
    (&["cli", "backup"], &["journal"]),
    (&["cli", "token"], &["access", "machine"]),
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
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
        ],
    ),
    ("deadlines", &["tokio", "std::fs", "std::net"]),
    (
        "access",
        &[
            "tokio",
            "axum",
            "hyper",
            "tracing",
            "rand",
            "aws_lc_rs::rand",
            "std::time",
            "std::fs",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
        ],
    ),
    (
        "wire",
        &[
            "tokio",
            "std::fs",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
        ],
    ),
    ("log", &["serde", "tokio", "tracing", "rand", "std::fs", "std::net", "std::time", "std::env"]),
    ("journal", &["serde", "tokio", "tracing", "rand", "std::net", "std::thread", "std::env"]),
    ("driver", &["serde_json", "axum", "hyper"]),
];

/// Tables whose iteration order differs from run to run; in the machine only one file, which
/// never iterates, has them.
const HASHED: &[&str] = &["HashMap", "HashSet", "hash_map", "hash_set", "hashbrown"];
const HASHED_HOME: &str = "src/machine/index.rs";

/// What a file of a layer may name.
pub(crate) fn check(source: &Source<'_>, faults: &mut Vec<String>) {
    let layer = source.module[0];
    if layer == "lib" {
        return;
    }
    let Some(mut may) = row(LAYERS, layer).map(<[_]>::to_vec) else {
        let advice = "give it a row in tests/tidy.rs, and say in src/DESIGN.md why";
        faults.push(format!("{}:1: `{layer}` is no layer: {advice}", source.path));
        return;
    };
    may.push(layer);
    for (door, more) in DOORS {
        if source.module.starts_with(door) {
            may.extend(*more);
        }
    }
    let without = row(WITHOUT, layer).unwrap_or_default();
    for Named { line, path, .. } in names(&source.tokens, &source.home()) {
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
        faults.push(format!("{}:{line}: {fault}", source.path));
    }
    if layer == "machine" && source.path != HASHED_HOME {
        for token in source.tokens.iter().filter(|token| HASHED.contains(&token.text)) {
            let fault = format!("in the machine `{}` is for {HASHED_HOME} only", token.text);
            faults.push(format!("{}:{}: {fault}", source.path, token.line));
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
