//! Certificates that are read again while the server runs.

use super::world::{Authority, Dialer, Files, World};
use crate::support::{Client, Served, in_time};

/// The certificate that a server shows now.
async fn shown(dialer: &Dialer, world: &World) -> Vec<u8> {
    let line = dialer.dial(world.address()).await;
    let shown = line.get_ref().1.peer_certificates().and_then(<[_]>::first);
    shown.expect("it shows one").to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_handshakes_see_the_new_one_and_open_connections_go_on() {
    let world = World::new().await;
    let dialer = world.dialer();
    let before = shown(&dialer, &world).await;
    let mut open = world.client().await;
    assert_eq!(open.ask("POST /sessions").await.status, 200);
    world.files.put(&world.authority.server());
    assert_eq!(shown(&dialer, &world).await, before, "nobody has asked for it yet");
    world.served.rereader.read_again();
    in_time(async { while shown(&dialer, &world).await == before {} }).await;
    assert_eq!(open.ask("POST /sessions").await.status, 200);
    assert_eq!(world.client().await.ask("POST /sessions").await.status, 200);
    world.served.stop().await;
}

/// A client's certificate is looked at again when its authority may no longer be believed: nobody
/// resumes what was before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_is_no_longer_believed_is_not_resumed() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.server());
    files.write("clients.pem", &theirs.pem());
    let served = Served::with(files.config()).await;
    let dialer = Dialer::new(&ours).showing(theirs.client("spiffe://example.org/a")).resuming();
    let ask = async || {
        let line = dialer.try_dial(served.address).await.ok()?;
        let resumed = line.get_ref().1.handshake_kind();
        let mut client = Client::over(line);
        if !client.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await {
            return None;
        }
        client.answer_or_end().await.map(|_| resumed)
    };
    assert_eq!(ask().await, Some(Some(rustls::HandshakeKind::Full)));
    assert_eq!(ask().await, Some(Some(rustls::HandshakeKind::Resumed)));
    files.write("clients.pem", &Authority::new("others").pem());
    served.rereader.read_again();
    in_time(async { while ask().await.is_some() {} }).await;
    assert_eq!(ask().await, None);
}
