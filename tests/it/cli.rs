//! The program: what it says, what it refuses, and how it ends.

mod backup;
mod check;
mod directory;
mod operation;
mod token;

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::support::{Client, Program, SessionInfo, in_time, not_yet, program, until_waits};

/// Runs the program to its end: its code, its output, its complaints.
async fn run(options: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = program(&[], options);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = in_time(command.output()).await.expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Whether it was called wrongly: stderr says so and `what`, and the code is 2.
async fn is_wrong(options: &[&str], variables: &[(&str, &str)], what: &str) -> String {
    let (code, stdout, stderr) = run(options, variables).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{options:?}: {stderr}");
    assert!(stderr.starts_with("ticketd: ") && stderr.ends_with('\n'), "{options:?}: {stderr}");
    assert!(stderr.contains(what), "{options:?}: {stderr}");
    stderr
}

/// Whether it was refused: one line on stderr that says `what`, and a code that is not 0.
async fn is_refused(options: &[&str], variables: &[(&str, &str)], what: &str) {
    let (code, stdout, stderr) = run(options, variables).await;
    assert!(code.is_some_and(|code| code != 0), "{options:?}: {code:?}");
    assert_eq!(stdout, "", "{options:?}");
    assert_eq!(stderr.lines().count(), 1, "{options:?}: {stderr}");
    assert!(stderr.ends_with('\n') && stderr.contains(what), "{options:?}: {stderr}");
}

#[tokio::test]
async fn help_names_options_and_variables() {
    for option in ["--help", "-h", "-help"] {
        let (code, stdout, stderr) = run(&[option], &[]).await;
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{option}");
        let longest = stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{stdout}");
        for name in [
            "listen",
            "snappath",
            "durability",
            "expire",
            "idle",
            "snapshot",
            "image-after",
            "loglevel",
            "allow-origin",
            "host",
            "tls-cert",
            "tls-key",
            "tls-client-ca",
            "max-connections",
            "rate",
            "log-format",
            "metrics-resource",
        ] {
            let variable = format!("TICKETD_{}", name.to_uppercase().replace('-', "_"));
            assert!(stdout.contains(&format!("--{name}")), "{name}: {stdout}");
            assert!(stdout.contains(&variable), "{variable}: {stdout}");
        }
    }
    let (code, stdout, _) = run(&["--version"], &[]).await;
    assert_eq!(code, Some(0));
    assert_eq!(stdout, format!("ticketd {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn options_can_be_spelt_as_in_go() {
    for options in [
        &["-listen", "127.0.0.1:0", "-expire=100", "-loglevel", "0"][..],
        &["-l=127.0.0.1:0", "--expire", "100", "-loglevel=0"],
        &["--listen=127.0.0.1:0", "-expire", "100"],
    ] {
        let server = Program::start(options).await;
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.ask("GET /status").await.status, 200, "{options:?}");
        server.signal(Signal::TERM);
        assert!(server.ended().await.0.success(), "{options:?}");
    }
}

#[tokio::test]
async fn variables_stand_in_for_options() {
    let mut command = program(&[], &["-loglevel", "0"]);
    command.env("TICKETD_LISTEN", "127.0.0.1:0").env("TICKETD_LOGLEVEL", "3");
    let server = Program::started(command).await;
    Client::connect(server.address).await.ask("GET /status").await;
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "an option goes before");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let here = ["-l", "127.0.0.1:0"];
    for (options, what) in [
        (&["--expire", "-1"][..], "-1"),
        (&["-expire=0"], "0"),
        (&["--expire=soon"], "soon"),
        (&["--expire", "99999999999999999999"], "99999999999999999999"),
        (&["--expire"], "--expire"),
        (&["--idle", "0"], "0"),
        (&["-idle=soon"], "soon"),
        (&["--loglevel", "4"], "4"),
        (&["-loglevel", "-1"], "-1"),
        (&["--no-such-option"], "--no-such-option"),
        (&["-nosuchoption=1"], "nosuchoption"),
        (&["-z"], "-z"),
        (&["extra"], "extra"),
        (&["--allow-origin", "example.org"], "example.org"),
        (&["--max-connections", "-1"], "-1"),
        (&["-rate", "many"], "many"),
        (&["--snapshot", "0"], "0"),
        (&["-snapshot=soon"], "soon"),
        (&["--durability", "often"], "often"),
        (&["--durability", "always"], "--snappath"),
        (&["--image-after", "-1"], "-1"),
        (&["--snappath"], "--snappath"),
    ] {
        is_wrong(&[&here, options].concat(), &[], what).await;
    }
    is_wrong(&here, &[("TICKETD_EXPIRE", "soon")], "soon").await;
    is_wrong(&here, &[("TICKETD_DURABILITY", "often")], "often").await;
}

/// Only the first line of an error was told, and that line ends where the list begins of what is
/// missing or possible.
#[tokio::test]
async fn an_error_says_what_is_missing_and_what_is_possible() {
    is_wrong(&["check"], &[], "<DIR>").await;
    let said = is_wrong(&["--durability", "often"], &[], "always").await;
    assert!(said.contains("interval") && said.contains("none"), "{said}");
    is_wrong(&["--allow-origin", "https://*.example.org"], &[], "no wildcards").await;
}

/// `TICKETD_LISTEN=` was the address "", which is none.
#[tokio::test]
async fn an_empty_variable_is_an_unset_one() {
    let mut command = program(&[], &["-l", "127.0.0.1:0"]);
    for name in [
        "SNAPPATH",
        "DURABILITY",
        "ACCESS",
        "EXPIRE",
        "LOGLEVEL",
        "ALLOW_ORIGIN",
        "HOST",
        "RATE",
        "SNAPSHOT",
    ] {
        command.env(format!("TICKETD_{name}"), "");
    }
    // Empty, it silenced the log.
    command.env("RUST_LOG", "");
    let server = Program::started(command).await;
    assert_eq!(Client::connect(server.address).await.ask("GET /status").await.status, 200);
    server.signal(Signal::TERM);
    assert!(server.ended().await.1.contains("stopping"));
}

/// Requests hung as soon as the pipe of a log was full that nobody read.
#[tokio::test]
async fn a_log_that_nobody_reads_keeps_nobody_waiting() {
    let server = Program::start(&["-l", "127.0.0.1:0", "--loglevel", "3"]).await;
    let mut client = Client::connect(server.address).await;
    let long = "x-".repeat(1000);
    for number in 0..6000 {
        assert_eq!(client.ask(&format!("GET /{number}/{long}")).await.status, 404, "{number}");
    }
    server.signal(Signal::TERM);
    let (status, _) = server.ended_unread().await;
    assert!(status.success());
}

#[tokio::test]
async fn what_is_refused_is_logged_with_a_count_and_a_stop_with_what_is_under_way() {
    let server = Program::start(&["-l", "127.0.0.1:0", "--rate", "1000"]).await;
    let mut page = Client::connect(server.address).await.with("Origin: https://evil.example");
    for _ in 0..20 {
        assert_eq!(page.ask("POST /sessions").await.status, 403);
    }
    let _party = SessionInfo::open(server.address, "one").await;
    server.signal(Signal::TERM);
    let stderr = server.ended().await.1;
    let lines = stderr.lines().filter(|line| line.contains("foreign page")).collect::<Vec<_>>();
    assert!(lines[0].contains(r#""https://evil.example" from 127.0.0.1"#), "{stderr}");
    assert!(lines[1].contains("19 more") || lines.len() > 2, "{stderr}");
    assert!(lines.len() < 10, "{stderr}");
    assert!(stderr.contains("stopping") && stderr.contains("sessions=1"), "{stderr}");
    let server = Program::start(&["-l", "127.0.0.1:0", "--allow-origin", "*"]).await;
    server.signal(Signal::TERM);
    assert!(server.ended().await.1.contains("--allow-origin '*'"));
}

/// Who looked for the reason why a lock had passed on found nothing in the log.
#[tokio::test]
async fn an_expiry_that_costs_somebody_something_is_logged_with_what_passed_on() {
    let server = Program::start(&["-l", "127.0.0.1:0", "--expire", "50"]).await;
    let mut client = Client::connect(server.address).await;
    let _idle = SessionInfo::open_for(server.address, "idle", 50).await;
    let mut holder = SessionInfo::open_for(server.address, "holder", 1000).await;
    for lock in ["a", "b"] {
        assert_eq!(holder.says(&format!("POST /locks/{lock}")).await, "200 true");
    }
    in_time(async { while client.ask("GET /status").await.json()["Sessions"] != 0 {} }).await;
    server.signal(Signal::TERM);
    let stderr = server.ended().await.1;
    let told = stderr.lines().filter(|line| line.contains("expired")).collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{stderr}");
    for what in [r#"name="holder""#, "locks=2", "claims=0", "waits=0"] {
        assert!(told[0].contains(what), "{stderr}");
    }
    assert!(!stderr.contains(&holder.id), "{stderr}");
}

#[tokio::test]
async fn where_it_cannot_listen_it_says_so_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| address.to_string()).expect("an address");
    let _still = TcpListener::bind(&taken);
    for address in [&taken, "nonsense", "127.0.0.1", "127.0.0.1:99999", ":x", "", "192.0.2.1:0"] {
        is_refused(&["-l", address], &[], address).await;
    }
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Program::start(&["-l", "127.0.0.1:0"]).await;
        let mut idle = Client::connect(server.address).await;
        assert_eq!(idle.ask("GET /status").await.status, 200);
        let _silent = TcpStream::connect(server.address).await.expect("a connection");
        server.signal(signal);
        assert_eq!(in_time(server.ended()).await.0.code(), Some(0), "{signal:?}");
    }
}

#[tokio::test]
async fn it_answers_who_waits_before_it_stops() {
    let server = Program::start(&["-l", "127.0.0.1:0"]).await;
    let address = server.address;
    let mut holder = SessionInfo::open(address, "holder").await;
    let mut waiter = SessionInfo::open(address, "waiter").await;
    let mut claimer = SessionInfo::open(address, "claimer").await;
    holder.ask("POST /locks/db").await;
    waiter.send("POST /locks/db?wait=60000").await;
    claimer.send("POST /claims/work?wait=60000").await;
    until_waits(address, 2).await;
    server.signal(Signal::TERM);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), server.ended());
    assert_eq!(waiter.answer().await.said(), "200 false");
    assert_eq!(claimer.answer().await.json()["Claimed"], false);
    assert_eq!(ended.await.expect("within 5 s").0.code(), Some(0));
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
}

#[tokio::test]
async fn at_level_3_it_logs_a_line_per_request_and_no_secrets() {
    let server = Program::start(&["-l", "127.0.0.1:0", "--loglevel", "3"]).await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut two = SessionInfo::open(server.address, "two").await;
    one.issue("work", "t", "opensesame").await;
    two.claim("work").await;
    let mut requests = 4;
    for request in [
        format!("GET /sessions/{}", one.id),
        format!("PUT /sessions/{}/", one.id),
        format!("GET /dump/sessions?sessid={}", one.id),
        format!("POST /locks/db?sessid={}", two.id),
        format!("DELETE /locks/db?sessid={}&fence=1", two.id),
        format!("PATCH /sessions/{}", one.id),
        format!("GET /Sessions/{}", one.id),
        format!("GET /sessions%2F{}", one.id),
        format!("GET /x/{}", one.id),
        format!("GET //sessions/{}", one.id),
        format!("GET /%{:02x}{}", one.id.as_bytes()[0], &one.id[1..]),
        "POST /locks/%00".to_owned(),
        "GET /nope".to_owned(),
        "POST /locks/db?wait=1".to_owned(),
        format!("DELETE /sessions/{}", one.id),
    ] {
        one.ask(&request).await;
        requests += 1;
    }
    let secrets = [one.id[1..].to_owned(), two.id.clone(), "opensesame".to_owned()];
    drop((one, two));
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert!(status.success());
    for secret in secrets {
        assert!(!stderr.contains(&secret), "{secret}: {stderr}");
    }
    let lines = stderr.lines().filter(|line| line.contains(" request peer=")).count();
    assert_eq!(lines, requests, "{stderr}");
}

#[tokio::test]
async fn at_level_0_and_by_default_requests_are_not_logged() {
    for (level, most) in [("0", 0), ("1", 0), ("2", 10)] {
        let server = Program::start(&["-l", "127.0.0.1:0", "--loglevel", level]).await;
        let mut one = SessionInfo::open(server.address, "one").await;
        for _ in 0..50 {
            one.ask("POST /locks/db").await;
        }
        server.signal(Signal::TERM);
        let stderr = server.ended().await.1;
        assert!(stderr.lines().count() <= most, "{stderr}");
    }
}

#[tokio::test]
async fn it_warns_when_everybody_can_reach_it() {
    for (listen, warns) in [("0.0.0.0:0", true), (":0", true), ("127.0.0.1:0", false)] {
        let server = Program::start(&["-l", listen]).await;
        server.signal(Signal::TERM);
        let stderr = server.ended().await.1;
        assert_eq!(stderr.contains("WARN"), warns, "{listen}: {stderr}");
    }
    let server = Program::start(&["-l", "localhost:0"]).await;
    assert!(server.address.ip().is_loopback());
}

/// `:8001` was all addresses of IPv4 only: `http://[::1]:8001` was refused, and so was `localhost`
/// where it means that.
#[tokio::test]
async fn without_a_host_it_listens_on_all_addresses_of_both_families() {
    let server = Program::start(&["-l", ":0", "--idle", "30000"]).await;
    let port = server.address.port();
    let one = TcpListener::bind("[::1]:0");
    let hosts = ["127.0.0.1", "::1"].into_iter().take(1 + usize::from(one.is_ok()));
    for host in hosts {
        let address = SocketAddr::new(host.parse().expect("an address"), port);
        let mut info = SessionInfo::open(address, "one").await;
        let look = format!("GET /sessions/{}", info.id);
        let answer = info.ask(&look).await;
        let source = answer.json()["Src"].as_str().expect("a text").to_owned();
        let source: SocketAddr = source.parse().expect("an address");
        assert_eq!(source.ip(), address.ip(), "shown as it came");
        assert_eq!(answer.header("keep-alive"), "timeout=30");
    }
}

#[tokio::test]
async fn it_survives_a_want_of_descriptors() {
    let shell = ["sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\""];
    let server = Program::started(program(&shell, &["-l", "127.0.0.1:0"])).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Client::connect(server.address).await);
    }
    // The system took the connection, but the server has no descriptor left for it.
    let mut late = Client::connect(server.address).await;
    late.send("GET /status").await;
    assert!(not_yet(late.answer()).await);
    drop(idle);
    assert_eq!(late.answer().await.status, 200);
    assert_eq!(Client::connect(server.address).await.ask("GET /status").await.status, 200);
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert!(status.success());
    assert!(stderr.contains("cannot accept"), "{stderr}");
}
