//! The program with a certificate: its options, its first line, and SIGHUP.

use std::process::Stdio;

use rustix::process::Signal;

use super::world::{Authority, Dialer, Files};
use crate::support::{Client, Program, in_time, program};

/// How the program ends that is given these options, and what it says then.
async fn refused(options: &[&str]) -> (Option<i32>, String) {
    let mut command = program(&[], options);
    command.args(["-l", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = in_time(command.output()).await.expect("the program");
    assert_eq!(output.stdout, b"", "{options:?}");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[tokio::test]
async fn one_without_the_other_is_called_wrongly() {
    let files = Files::new(&Authority::new("one").server());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| files.text(name));
    for options in [
        &["--tls-cert", &cert][..],
        &["--tls-key", &key],
        &["--tls-client-ca", &cert],
        &["--tls-client-ca", &cert, "--tls-key", &key],
    ] {
        let (code, said) = refused(options).await;
        assert_eq!(code, Some(2), "{options:?}: {said}");
        assert!(said.contains("--tls-"), "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_ends_the_start_with_a_reason() {
    let authority = Authority::new("one");
    let files = Files::new(&authority.server());
    let other = authority.server();
    files.write("other.pem", &other.key);
    files.write("empty.pem", "");
    files.write("garbage.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    files.write("hollow.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    files.write("odd.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    for (cert, key, ca, says) in [
        ("cert.pem", "other.pem", "", "other.pem: the key is not that of the certificate"),
        ("missing.pem", "key.pem", "", "missing.pem: No such file"),
        ("cert.pem", "missing.pem", "", "missing.pem: No such file"),
        ("key.pem", "key.pem", "", "key.pem: has no certificate (PEM)"),
        ("empty.pem", "key.pem", "", "empty.pem: has no certificate (PEM)"),
        ("garbage.pem", "key.pem", "", "garbage.pem: is no PEM"),
        ("hollow.pem", "key.pem", "", "hollow.pem: a certificate cannot be used: "),
        ("cert.pem", "cert.pem", "", "cert.pem: has no private key (PEM, without a password)"),
        ("cert.pem", "odd.pem", "", "odd.pem: the key cannot be used: "),
        ("cert.pem", "key.pem", "missing.pem", "missing.pem: No such file"),
        ("cert.pem", "key.pem", "key.pem", "key.pem: has no certificate (PEM)"),
        ("cert.pem", "key.pem", "hollow.pem", "hollow.pem: a certificate cannot be used: "),
    ] {
        let [cert, key, ca_path] = [cert, key, ca].map(|name| files.text(name));
        let mut options = vec!["--tls-cert", cert.as_str(), "--tls-key", key.as_str()];
        if !ca.is_empty() {
            options.extend(["--tls-client-ca", ca_path.as_str()]);
        }
        let (code, said) = refused(&options).await;
        assert_eq!(code, Some(2), "{says}: {said}");
        assert!(said.contains(says), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// The certificate that a program shows now.
async fn shown(dialer: &Dialer, program: &Program) -> Vec<u8> {
    let line = dialer.dial(program.address).await;
    let shown = line.get_ref().1.peer_certificates().and_then(<[_]>::first);
    shown.expect("it shows one").to_vec()
}

#[tokio::test]
async fn a_hang_up_has_files_read_again_and_what_is_bad_changes_nothing() {
    let authority = Authority::new("one");
    let files = Files::new(&authority.server());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| files.text(name));
    let mut command = program(&[], &["-l", "127.0.0.1:0"]);
    command.env("TICKETD_TLS_CERT", &cert).env("TICKETD_TLS_KEY", &key);
    let mut program = Program::started(command).await;
    program.until_says("cert.pem: a certificate that is good until ").await;
    let dialer = Dialer::new(&authority);
    let first = shown(&dialer, &program).await;
    files.write("key.pem", &authority.server().key);
    program.signal(Signal::HUP);
    let stays = "the old certificate stays: ";
    program.until_says(&format!("{stays}{key}: the key is not that of the certificate")).await;
    assert_eq!(shown(&dialer, &program).await, first);
    std::fs::remove_file(&cert).expect("was there");
    program.signal(Signal::HUP);
    program.until_says(&format!("{stays}{cert}: No such file")).await;
    assert_eq!(shown(&dialer, &program).await, first);
    files.put(&authority.server());
    program.signal(Signal::HUP);
    program.until_says("cert.pem: a certificate that is good until ").await;
    assert_ne!(shown(&dialer, &program).await, first);
    let mut client = Client::over(dialer.dial(program.address).await);
    assert_eq!(client.ask("GET /status").await.status, 200);
    program.signal(Signal::TERM);
    let (status, said) = program.ended().await;
    assert!(status.success(), "{said}");
}
