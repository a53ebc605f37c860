//! Clients that show a certificate. What it says of them goes along with their requests; that is
//! looked at within the server, in its tests of connections.

use std::io;

use rustls::SupportedProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::{Authority, Dialer, Files};
use crate::access::served::{Guarded, principal, token};
use crate::support::{Client, Served, in_time};

/// A server that believes `theirs`, and has a certificate by `ours`.
async fn served(ours: &Authority, theirs: &Authority) -> (Files, Served) {
    let files = Files::new(&ours.server());
    files.write("clients.pem", &theirs.pem());
    let served = Served::with(files.config()).await;
    (files, served)
}

#[tokio::test]
async fn a_certificate_is_asked_for_and_need_not_be_shown() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (_files, served) = served(&ours, &theirs).await;
    let dialer = Dialer::new(&ours);
    for dialer in [dialer.clone(), dialer.showing(theirs.client("spiffe://example.org/a"))] {
        for version in rustls::ALL_VERSIONS {
            let line = dialer.clone().version(version).dial(served.address).await;
            assert_eq!(Client::over(line).ask("POST /sessions").await.status, 200);
        }
    }
}

/// Dials and asks; with TLS 1.3 a client learns of what it showed when it reads.
async fn asked(
    dialer: Dialer,
    version: &'static SupportedProtocolVersion,
    served: &Served,
) -> io::Result<String> {
    let mut line = dialer.version(version).try_dial(served.address).await?;
    line.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
    let mut said = String::new();
    in_time(line.read_to_string(&mut said)).await?;
    Ok(said)
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_the_handshake() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (_files, served) = served(&ours, &theirs).await;
    // One of the same name, and the one that signed the server's own.
    let namesake = Authority::new("theirs");
    for version in rustls::ALL_VERSIONS {
        for stranger in [&namesake, &ours] {
            let dialer = Dialer::new(&ours).showing(stranger.client("spiffe://example.org/a"));
            let why = asked(dialer, version, &served).await.expect_err("a stranger").to_string();
            assert!(why.contains("received fatal alert"), "{version:?}: {why}");
        }
        let dialer = Dialer::new(&ours).showing(theirs.client("spiffe://example.org/a"));
        let said = asked(dialer, version, &served).await.expect("an answer");
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
}

/// Who shows a certificate that the policy knows needs no token; a token counts before it.
#[tokio::test]
async fn a_certificate_s_names_say_who_it_is() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.server());
    files.write("clients.pem", &theirs.pem());
    let file = "[[principal]]\nname = \"a\"\ncertificate = [\"uri:spiffe://example.org/a\"]\n\
                allow = [{ to = [\"metrics\"] }]\n\n"
        .to_owned()
        + &principal("none", "allow = []");
    let served = Guarded::with(&file, files.config()).await.served;
    let dialer = Dialer::new(&ours);
    let known = dialer.clone().showing(theirs.client("spiffe://example.org/a"));
    let unknown = dialer.clone().showing(theirs.client("spiffe://example.org/b"));
    for (dialer, status) in [(known.clone(), 200), (unknown, 401), (dialer, 401)] {
        let line = dialer.dial(served.address).await;
        assert_eq!(Client::over(line).ask("GET /status").await.status, status);
    }
    let bearer = format!("Authorization: Bearer {}", token("none").as_str());
    let line = known.dial(served.address).await;
    assert_eq!(Client::over(line).with(&bearer).ask("GET /status").await.status, 403);
    served.stop().await;
}

/// A server's certificate does not make a client.
#[tokio::test]
async fn a_certificate_for_other_uses_does_not_count() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (_files, served) = served(&ours, &theirs).await;
    let dialer = Dialer::new(&ours).showing(theirs.server());
    let why = asked(dialer, &rustls::version::TLS12, &served).await.expect_err("is none");
    assert!(why.to_string().contains("received fatal alert"), "{why}");
}
