//! The files that are served: the helper for JavaScript under `/client/`, the documents under
//! `/docs/`, the console at `/console/`, and at `/` a page that shows what all this is. They are
//! part of the binary and know nothing of the driver.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::documents::{self, DOCUMENTS};
use super::helper::HELPER;
use super::package;
use super::policy::policy;
use super::response::HttpAnswer;

/// All else but the documents: where it is found, and what it holds.
const TEXTS: &[(&str, &str)] = &[
    ("/", include_str!("page/index.html")),
    ("/page.css", include_str!("page/page.css")),
    ("/page.js", include_str!("page/page.js")),
    ("/look.js", include_str!("page/look.js")),
    ("/who.js", include_str!("page/who.js")),
    ("/page.svg", include_str!("page/page.svg")),
];

/// The console, from its folder.
macro_rules! console {
    ($($file:literal)*) => {
        &[
            ("/console/", include_str!("console/index.html")),
            $((concat!("/console/", $file), include_str!(concat!("console/", $file)))),*
        ]
    };
}

/// The console. A test compares the list with the directory.
const CONSOLE: &[(&str, &str)] = console![
    "actions.js" "api.js" "app.js" "chart.js" "confirm.js" "console.css" "dom.js" "figures.js"
    "listing.js" "overview.js" "resource.js" "resources.js" "seen.js" "sessions.js" "signin.js"
    "table.js" "tickets.js" "views.css" "virtual.js" "watch.js" "who.js"
];

/// What stands in for a directory; each is a way from there.
pub(crate) const DIRECTORIES: [(&str, &str); 4] = [
    ("/client", "client/index.js"),
    ("/client/", "index.js"),
    ("/console", "console/"),
    ("/docs", "docs/"),
];

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Where the helper is found as a package for npm.
pub(crate) const PACKAGE: &str = "/client/ticketd-client.tgz";

/// A file that is served as it is.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: &'static str,
    content: Bytes,
    media: HeaderValue,
    /// The same for the same content, and, as far as 64 bits go, for no other.
    tag: HeaderValue,
}

/// All pages that are texts.
pub(crate) fn all() -> &'static [Page] {
    static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
        let texts = TEXTS.iter().chain(CONSOLE).chain(HELPER).copied();
        let documents = DOCUMENTS.iter().map(|document| (document.path, document.text));
        let pages = texts.chain(documents);
        let pages = pages.map(|(path, text)| Page::new(path, Bytes::from_static(text.as_bytes())));
        pages.chain([Page::new("/docs/", documents::page().into())]).collect()
    });
    &PAGES
}

/// The helper's package. It is made when it is first asked for.
pub(crate) fn package() -> Option<&'static Page> {
    static MADE: LazyLock<Option<Page>> = LazyLock::new(|| match package::pack() {
        Ok(content) => Some(Page::new(PACKAGE, content.into())),
        Err(why) => {
            tracing::error!("the helper's package cannot be made: {why}");
            None
        }
    });
    MADE.as_ref()
}

impl Page {
    fn new(path: &'static str, content: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let tag = HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish()));
        let tag = tag.unwrap_or(HeaderValue::from_static("\"\""));
        Self { path, content, media: media(path), tag }
    }

    /// The page, or that whoever asks has it already.
    pub(crate) fn answer(&self, asked: &Parts) -> HttpAnswer {
        let known = knows(&asked.headers, &self.tag);
        let mut answer =
            Response::new(Body::from(if known { Bytes::new() } else { self.content.clone() }));
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, self.media.clone());
        headers.insert(ETAG, self.tag.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        always_asked_for(headers);
        if self.path.starts_with("/client/") {
            for_every_origin(headers);
        } else {
            headers.insert(CONTENT_SECURITY_POLICY, policy(asked));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        answer
    }
}

/// Shows the way to the file that stands in for a directory. It leads from where one is, for there
/// may be a proxy in front.
pub(crate) fn redirect(way: &'static str) -> HttpAnswer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static(way));
    always_asked_for(headers);
    if way.ends_with(".js") {
        for_every_origin(headers);
    }
    answer
}

/// The helper and the server that serves it are of one version, so it is asked for each time.
fn always_asked_for(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// Pages of any origin may load the helper. Whether it may then connect is another question.
fn for_every_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

fn media(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.') {
        _ if path.ends_with('/') => "text/html; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "tgz")) => "application/gzip",
        // What people read; with a type of its own a browser would store it instead of showing it.
        _ => "text/plain; charset=utf-8",
    })
}

/// Whether who asks has this text (RFC 9110, section 13.1.2: a list, compared weakly). No tag of
/// ours has a comma.
fn knows(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    asked.get_all(IF_NONE_MATCH).iter().any(|list| {
        list.as_bytes().split(|&byte| byte == b',').any(|known| {
            let known = known.trim_ascii();
            known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_compared_weakly() {
        let tag = HeaderValue::from_static("\"0a\"");
        for (lists, known) in [
            (&[][..], false),
            (&["\"0a\""], true),
            (&["W/\"0a\""], true),
            (&["*"], true),
            (&["\"0b\", W/\"0a\" ,\"0c\""], true),
            (&["\"0b\"", "\"0a\""], true),
            (&["\"0b\""], false),
            (&["0a"], false),
            (&["w/\"0a\""], false),
            (&["\"0A\""], false),
            (&["\"0a"], false),
            (&["\"*\""], false),
            (&[""], false),
            (&[",,"], false),
        ] {
            let mut asked = HeaderMap::new();
            for list in lists {
                asked.append(IF_NONE_MATCH, HeaderValue::from_static(list));
            }
            assert_eq!(knows(&asked, &tag), known, "{lists:?}");
        }
    }
}
