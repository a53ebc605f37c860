//! The documents under `/docs/`, and the page that lists them.

use std::fmt::Write;

/// A text for readers or for programs.
pub(super) struct Document {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    /// What it is, in a line of plain text.
    about: &'static str,
}

/// A document by its name in `docs/`.
macro_rules! document {
    ($name:literal, $about:literal) => {
        Document {
            path: concat!("/docs/", $name),
            text: include_str!(concat!("../../../docs/", $name)),
            about: $about,
        }
    };
}

/// All of them, in the order in which they are listed. A test compares the list with the directory.
pub(super) const DOCUMENTS: &[Document] = &[
    document!("protocol.md", "The protocol: REST and the WebSocket, for whoever writes a client."),
    document!("asyncapi.yaml", "The WebSocket's messages as schemas (AsyncAPI), for programs."),
    document!(
        "openapi.yaml",
        "REST as schemas (OpenAPI 3.1), for programs and those who write them."
    ),
    document!(
        "access.md",
        "Who may come in, and what each may do: tokens, rights, the audit trail."
    ),
    document!("durability.md", "What is kept on disk, when, and what a crash can take."),
    document!(
        "operation.md",
        "How it is run: what to watch, what to do, sizes, upgrades, proxies."
    ),
];

/// Where the list goes.
const PLACE: &str = "<!-- documents -->";

/// The page that lists them.
pub(super) fn page() -> String {
    let mut list = String::new();
    for Document { path, about, .. } in DOCUMENTS {
        let name = path.trim_start_matches("/docs/");
        // Writing to a string cannot fail.
        let _ = writeln!(list, "<li><a href=\"{name}\">{name}</a> <span>{about}</span></li>");
    }
    include_str!("page/docs.html").replace(PLACE, list.trim_end())
}
