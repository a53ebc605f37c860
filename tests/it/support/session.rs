//! A session with a connection of its own.

use std::net::SocketAddr;

use ticketd::driver::NewSession;
use ticketd::machine::{Conduct, SessionName, Ttl};

use super::{Answer, Client};

/// A session with a connection of its own. It says who it is in a header.
pub(crate) struct SessionInfo {
    pub(crate) id: String,
    address: SocketAddr,
    client: Client,
}

impl SessionInfo {
    pub(crate) async fn open(address: SocketAddr, name: &str) -> Self {
        Self::open_for(address, name, 60_000).await
    }

    pub(crate) async fn open_for(address: SocketAddr, name: &str, ttl_ms: u32) -> Self {
        let mut client = Client::connect(address).await;
        let opened = client.ask(&format!("POST /sessions?name={name}&ttl={ttl_ms}")).await;
        let id = opened.json().as_str().expect("an id").to_owned();
        let client = client.with(&format!("Ticketd-Session: {id}"));
        Self { id, address, client }
    }

    /// The same session by a further connection.
    pub(crate) async fn again(&self) -> Self {
        self.again_at(self.address).await
    }

    /// The same session at another server, which knows it.
    pub(crate) async fn again_at(&self, address: SocketAddr) -> Self {
        let client = Client::connect(address).await;
        let client = client.with(&format!("Ticketd-Session: {}", self.id));
        Self { id: self.id.clone(), address, client }
    }

    /// Every request from now on bears this header, too.
    pub(crate) fn with(mut self, header: &str) -> Self {
        self.client = self.client.with(header);
        self
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) {
        let request = format!("DELETE /sessions/{}", self.id);
        assert_eq!(self.ask(&request).await.said(), "200 \"Ok\"");
    }

    /// Status and body of the answer in one line.
    pub(crate) async fn says(&mut self, request: &str) -> String {
        self.ask(request).await.said()
    }

    /// Issues a ticket.
    pub(crate) async fn issue(&mut self, resource: &str, ticket: &str, data: &str) {
        let request = format!("POST /tickets/{resource}?name={ticket}");
        assert_eq!(self.ask_with(&request, data).await.said(), "200 \"Ok\"");
    }

    /// Claims a ticket: its name, empty when there is none to get.
    pub(crate) async fn claim(&mut self, resource: &str) -> String {
        claimed(&self.ask(&format!("POST /claims/{resource}")).await)
    }
}

impl std::ops::Deref for SessionInfo {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for SessionInfo {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// The name of the ticket in the answer to a claim, empty when nothing was claimed.
pub(crate) fn claimed(answer: &Answer) -> String {
    let claim = answer.json();
    let name = claim["Ticket"]["Name"].as_str().expect("a name").to_owned();
    assert_eq!(claim["Claimed"], !name.is_empty(), "{claim}");
    name
}

/// One who begins a session at the driver, from here.
pub(crate) fn new_session(name: &str, ttl_ms: i64) -> NewSession {
    NewSession {
        name: SessionName::parse(name).expect("a name"),
        ttl: Ttl::new(ttl_ms).expect("a ttl"),
        source: "here".into(),
        conduct: Conduct::default(),
    }
}
