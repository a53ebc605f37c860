//! What those need who run it: options that are tried, a log for programs, a SIGHUP that ends
//! nothing.

use rustix::process::Signal;
use serde_json::Value;

use super::run;
use crate::support::{Client, Dir, Program};

#[tokio::test]
async fn options_are_tried_and_nothing_is_served() {
    let dir = Dir::new();
    let taken = Program::start(&["-l", "127.0.0.1:0", "--loglevel", "0"]).await;
    let address = taken.address.to_string();
    let options = ["serve", "-l", &address, "--snappath", dir.text(), "--check-config"];
    let (code, stdout, stderr) = run(&options, &[]).await;
    assert_eq!(
        (code, stderr.as_str()),
        (Some(0), ""),
        "a port that is taken is no fault of a file"
    );
    assert_eq!(stdout, "the configuration is good\n");
    assert!(dir.names().is_empty(), "{:?}", dir.names());
    let missing = dir.join("access.toml");
    let access = ["serve", "--check-config", "--access", missing.to_str().expect("a path")];
    let (code, stdout, stderr) = run(&access, &[]).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("access.toml"), "{stderr}");
}

#[tokio::test]
async fn a_log_for_programs_has_an_object_a_line() {
    let options = ["-l", "127.0.0.1:0", "--loglevel", "3", "--log-format", "json"];
    let mut server = Program::start(&options).await;
    let mut client = Client::connect(server.address).await;
    client.ask("GET /resources").await;
    server.signal(Signal::HUP);
    server.until_says("SIGHUP").await;
    assert_eq!(client.ask("GET /resources").await.status, 200);
    client.ask("GET /nope").await;
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert!(status.success());
    let lines: Vec<Value> =
        stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), 2, "{stderr}");
    for (request, path, status) in
        [(requests[0], "/api/v1/resources", 200), (requests[1], "other", 404)]
    {
        assert_eq!((&request["path"], &request["status"]), (&path.into(), &status.into()));
        assert!(request["us"].is_u64() && request["method"] == "GET", "{request}");
    }
}
