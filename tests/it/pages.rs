//! The pages that are part of the server: the JavaScript helper, the documents, the console, the
//! page at `/`.

use std::collections::BTreeSet;
use std::path::Path;

use ticketd::server::Config;

use crate::support::{Client, Served};

/// Those that each test of all pages asks for; the helper's files, the documents and the console's
/// come from their directories.
const OURS: &[&str] = &["/", "/page.css", "/page.js", "/look.js", "/who.js", "/page.svg", "/docs/"];

/// A file of this repository.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// What the helper's package publishes and a page or a reader may ask for.
fn helper() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("client-js");
    let files = directory.read_dir().expect("the helper");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let published = |name: &String| {
        let script = Path::new(name).extension().is_some_and(|extension| extension == "js");
        script || name == "index.d.ts" || name == "README.md"
    };
    let mut names: Vec<_> = names.filter(published).collect();
    names.sort();
    names
}

/// The files of a directory, without what lies in directories below.
fn files_of(path: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let entries = directory.read_dir().expect("a directory").map(|entry| entry.expect("an entry"));
    let files = entries.filter(|entry| entry.file_type().expect("a type").is_file());
    let mut names: Vec<_> =
        files.map(|file| file.file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The console's files, by their paths.
fn console() -> Vec<String> {
    let names = files_of("src/server/http/console").into_iter();
    names.map(|name| format!("/console/{}", name.trim_end_matches("index.html"))).collect()
}

fn all() -> Vec<String> {
    let helper = helper().into_iter().map(|name| format!("/client/{name}"));
    let documents = files_of("docs").into_iter().map(|name| format!("/docs/{name}"));
    let ours = OURS.iter().chain([&PACKAGE]).map(|&path| path.to_owned());
    ours.chain(helper).chain(documents).chain(console()).collect()
}

const PACKAGE: &str = "/client/ticketd-client.tgz";

/// What stands in double quotes behind `before`, wherever that is.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let before = format!("{before}\"");
    let behind = text.split(&before).skip(1);
    behind.map(|rest| rest.split('"').next().expect("a quote's end")).collect()
}

#[tokio::test]
async fn every_published_file_of_the_helper_is_served_as_it_is() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let names = helper();
    assert!(names.iter().any(|name| name == "index.js"));
    for name in names {
        let answer = client.ask_at(&format!("GET /client/{name}")).await;
        assert_eq!(answer.status, 200, "{name} is not in src/server/http/helper.rs");
        assert!(answer.body == file(&format!("client-js/{name}")).as_bytes(), "{name}");
    }
    for name in files_of("docs") {
        let answer = client.ask_at(&format!("GET /docs/{name}")).await;
        assert_eq!(answer.status, 200, "{name} is not in src/server/http/documents.rs");
        assert!(answer.body == file(&format!("docs/{name}")).as_bytes(), "{name}");
    }
    for name in files_of("src/server/http/console") {
        let path = name.trim_end_matches("index.html");
        let answer = client.ask_at(&format!("GET /console/{path}")).await;
        assert_eq!(answer.status, 200, "{name} is not in src/server/http/files.rs");
        assert!(answer.body == file(&format!("src/server/http/console/{name}")).as_bytes());
    }
}

/// `npm install ticketd-client` was in the README, and nobody had published it. (What npm makes of
/// this one is tested in `client-js/test/served.test.mjs`.)
#[tokio::test]
async fn the_helper_is_served_as_a_package() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask_at(&format!("GET {PACKAGE}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/gzip"));
    let mut package = tar::Archive::new(flate2::read::GzDecoder::new(answer.body.as_slice()));
    let mut found = Vec::new();
    for entry in package.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let name = path.strip_prefix("package/").expect("what npm unpacks").to_owned();
        let header = entry.header();
        assert_eq!(header.mtime().expect("a time"), 499_162_500, "{name}");
        assert_eq!(header.mode().expect("a mode"), 0o644, "{name}");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
        assert!(text == file(&format!("client-js/{name}")), "{name}");
        found.push(name);
    }
    let mut expected = helper();
    expected.extend(["LICENSE".to_owned(), "package.json".to_owned()]);
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn each_page_has_its_type_and_nobody_guesses_another() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for path in all() {
        let answer = client.ask_at(&format!("GET {path}")).await;
        let media = match path.rsplit('.').next() {
            _ if path.ends_with('/') => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("tgz") => "application/gzip",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!((answer.status, answer.header("content-type")), (200, media), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!answer.body.is_empty(), "{path}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn who_has_a_page_asks_for_it_again_but_is_not_sent_it() {
    let server = Served::start().await;
    let mut tags = BTreeSet::new();
    for path in all() {
        let mut client = Client::connect(server.address).await;
        let page = client.ask_at(&format!("GET {path}")).await;
        let tag = page.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "{path}: {tag}");
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
        assert!(tags.insert(tag.clone()), "{path}: two pages have one tag");
        for (known, status) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let client = Client::connect(server.address).await;
            let mut client = client.with(&format!("If-None-Match: {known}"));
            for method in ["GET", "HEAD"] {
                let answer = client.ask_at(&format!("{method} {path}")).await;
                assert_eq!(answer.status, status, "{method} {path} {known}");
                assert_eq!(answer.header("etag"), tag);
                assert_eq!(answer.header("cache-control"), "no-cache");
                if status == 304 {
                    assert_eq!(answer.body, b"", "{path}");
                }
            }
            assert_eq!(client.ask("GET /status").await.status, 200, "the connection is in order");
        }
    }
}

/// Modules are loaded by CORS. Which origins may then connect is another question.
#[tokio::test]
async fn pages_of_any_origin_may_load_the_helper_and_nothing_else() {
    for allow_origins in [vec![], vec!["https://app.example".parse().expect("a header")]] {
        let server = Served::with(Config { allow_origins, ..Config::default() }).await;
        for origin in ["https://app.example", "https://any.example", "null"] {
            let client = Client::connect(server.address).await;
            let mut client = client.with(&format!("Origin: {origin}"));
            let directories = ["/client", "/client/", "/console", "/docs"].map(str::to_owned);
            for path in all().into_iter().chain(directories) {
                let answer = client.ask_at(&format!("GET {path}")).await;
                let expected =
                    if path.starts_with("/client") { ("*", "cross-origin") } else { ("", "") };
                let allowed = answer.header("access-control-allow-origin");
                let policy = answer.header("cross-origin-resource-policy");
                assert_eq!((allowed, policy), expected, "{path} from {origin}");
            }
            let mut client = client.with("If-None-Match: *");
            let answer = client.ask_at("GET /client/index.js").await;
            assert_eq!(answer.status, 304);
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
    }
}

#[tokio::test]
async fn directories_lead_to_what_stands_in_for_them() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    // Relative to where one is, so that it holds behind a proxy with a prefix, too.
    for (path, way) in [
        ("/client", "client/index.js"),
        ("/client/", "index.js"),
        ("/console", "console/"),
        ("/docs", "docs/"),
    ] {
        let answer = client.ask_at(&format!("GET {path}")).await;
        assert_eq!((answer.status, answer.header("location")), (307, way), "{path}");
    }
}

#[tokio::test]
async fn pages_are_only_looked_at() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let directories = ["/client", "/client/", "/console", "/docs"];
    for path in all().iter().map(String::as_str).chain(directories) {
        let page = client.ask_at(&format!("GET {path}")).await;
        let head = client.ask_at(&format!("HEAD {path}")).await;
        assert_eq!((head.status, head.body.len()), (page.status, 0), "{path}");
        for header in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(header), page.header(header), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = client.ask_at(&format!("{method} {path}")).await;
            assert_eq!(answer.said(), "405 method not allowed", "{method} {path}");
            let mut methods: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            methods.sort_unstable();
            assert_eq!(methods, ["GET", "HEAD"], "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_found() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for path in [
        "/index.html",
        "/favicon.ico",
        "/page",
        "/docs/../Cargo.toml",
        "/docs/prometheus/",
        "/console/index.html",
        "/console/app.js/",
        "/client/none",
        "/client/index.js/",
        "/client/package.json",
        "/client/package-lock.json",
        "/client/tsconfig.json",
        "/client/node_modules/ws/index.js",
        "/client/../docs/protocol.md",
        "/client/%69ndex.js/x",
        "/api",
    ] {
        let answer = client.ask_at(&format!("GET {path}")).await;
        assert_eq!(answer.said(), "404 not found", "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
}

/// With this policy nothing that a stranger's name could bring in would run.
#[tokio::test]
async fn pages_may_use_what_this_server_serves_and_nothing_else() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for (directory, links_min) in [("/", 8), ("/docs/", 8), ("/console/", 4)] {
        let page = client.ask_at(&format!("GET {directory}")).await;
        let policy = page.header("content-security-policy").to_owned();
        let parts: BTreeSet<_> = policy.split(';').map(str::trim).collect();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "require-trusted-types-for 'script'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(parts.contains(part), "{part}: {policy}");
        }
        assert!(policy.contains("; connect-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains(" ws: "), "{policy}");
        let page = String::from_utf8(page.body).expect("text");
        for banned in ["<style", " style=", " onclick=", "<script>", "://"] {
            assert!(!page.contains(banned), "{directory}: {banned}");
        }
        let links = [quoted(&page, " href="), quoted(&page, " src=")].concat();
        let links: Vec<_> = links.into_iter().filter(|link| !link.starts_with('#')).collect();
        assert!(links.len() >= links_min, "{links:?}");
        for link in links {
            let path = match link.strip_prefix("../") {
                Some(rest) => format!("/{rest}"),
                None => format!("{directory}{}", link.trim_start_matches("./")),
            };
            assert_eq!(client.ask_at(&format!("GET {path}")).await.status, 200, "{link}");
        }
    }
}

/// Older browsers do not count a socket to where the page is from as `'self'`.
#[tokio::test]
async fn the_policy_names_the_sockets_of_the_asked_host() {
    let server = Served::start().await;
    for (host, sockets) in [
        ("t.example.org:8001", " ws://t.example.org:8001 wss://t.example.org:8001;"),
        ("[::1]:8001", ";"),
        ("x; script-src *", ";"),
        ("a,b", ";"),
    ] {
        let mut client = Client::connect(server.address).await;
        client.write(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        let answer = client.answer().await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains(&format!("connect-src 'self'{sockets}")), "{host}: {policy}");
    }
}

#[tokio::test]
async fn every_document_is_listed_in_a_line() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let page = String::from_utf8(client.ask_at("GET /docs/").await.body).expect("text");
    for name in files_of("docs") {
        let line = page.lines().find(|line| line.contains(&format!("href=\"{name}\"")));
        let (_, about) = line.and_then(|line| line.split_once("<span>")).expect("a line");
        assert!(about.len() > 20, "{name}: {about}");
    }
    assert!(!page.contains("<!-- documents -->"), "the list is in its place");
}

#[tokio::test]
async fn the_page_writes_text_and_not_markup() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let markup = ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "setHTML", "eval("];
    for path in all().iter().filter(|path| path.ends_with(".js") && !path.starts_with("/client/")) {
        let script = client.ask_at(&format!("GET {path}")).await;
        let script = String::from_utf8(script.body).expect("text");
        for banned in markup {
            assert!(!script.contains(banned), "{path}: {banned}");
        }
    }
}

#[tokio::test]
async fn scripts_import_nothing_but_what_is_served() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    let mut imports = 0;
    let scripts = all();
    for path in scripts.iter().filter(|path| path.ends_with(".js")) {
        let script = client.ask_at(&format!("GET {path}")).await;
        let script = String::from_utf8(script.body).expect("text");
        let lines = script.lines().filter(|line| is_import(line));
        for import in lines.flat_map(|line| quoted(line, " from ")) {
            imports += 1;
            let (directory, _) = path.rsplit_once('/').expect("a path");
            let Some(name) = import.strip_prefix("./") else { panic!("{path}: {import}") };
            let answer = client.ask_at(&format!("GET {directory}/{name}")).await;
            assert_eq!(answer.status, 200, "{path}: {import}");
        }
    }
    assert!(imports > 1);
}

/// Whether a line says, or ends to say, what is imported from where.
fn is_import(line: &str) -> bool {
    ["import ", "export ", "} from "].iter().any(|start| line.starts_with(start))
}
