//! The TCP stream below a connection, for those who look at it while others read and write: whether
//! the client has hung up, and whether its machine still answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::machine::{TTL_MAX_MS, Ttl};

/// A silent machine is asked so many times in a ttl whether it is there.
const PROBES: u32 = 6;
/// The longest pause between two probes that the kernel takes, in s.
const PAUSE_MAX_S: u32 = 32_767;

const _: () = assert!(TTL_MAX_MS / 1000 / PROBES <= PAUSE_MAX_S);

/// A cheap handle on the stream.
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<TcpStream>);

impl Line {
    pub(crate) fn new(stream: Arc<TcpStream>) -> Self {
        Self(stream)
    }

    /// Waits until the client has closed its side, whatever lies unread before that, or the line
    /// is cut. Whether a client that closed its side still reads, nobody can tell: `close` and
    /// `shutdown(SHUT_WR)` look the same.
    pub(crate) async fn closed(&self) {
        // Only the end of reading satisfies this interest: the stream is not registered for
        // priority itself.
        let _ = self.0.ready(Interest::PRIORITY).await;
    }

    /// Waits until the line is cut: nothing can be read or written any more.
    pub(crate) async fn cut(&self) {
        let _ = self.0.ready(Interest::ERROR).await;
    }

    /// As long as what is returned lives, the line is cut when the client's machine has not
    /// answered for about a ttl; see [`Patience::of`].
    pub(crate) fn probed(&self, ttl: Ttl) -> Probed<'_> {
        if let Err(why) = Patience::of(ttl).set(&self.0) {
            tracing::debug!(%why, "a line is not probed");
        }
        Probed(&self.0)
    }
}

/// How long a machine may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    /// How long it is silent before it is probed, and between two probes.
    pause: Duration,
    /// How long it may be silent, in ms. The kernel looks when it probes.
    silence_max_ms: u32,
}

impl Patience {
    /// Pauses are whole seconds, at least one, and the first pause ends in a probe. So the line is
    /// cut at the first whole number of pauses, at least two, that is not less than the ttl.
    fn of(ttl: Ttl) -> Self {
        let pause_s = (ttl.as_ms() / 1000 / PROBES).max(1);
        Self { pause: Duration::from_secs(pause_s.into()), silence_max_ms: ttl.as_ms() }
    }

    fn set(self, stream: &TcpStream) -> io::Result<()> {
        sockopt::set_tcp_keepidle(stream, self.pause)?;
        sockopt::set_tcp_keepintvl(stream, self.pause)?;
        sockopt::set_tcp_user_timeout(stream, self.silence_max_ms)?;
        sockopt::set_socket_keepalive(stream, true)?;
        Ok(())
    }
}

/// A line that is probed.
#[derive(Debug)]
pub(crate) struct Probed<'a>(&'a TcpStream);

impl Drop for Probed<'_> {
    fn drop(&mut self) {
        // Pauses mean nothing on a line that is not probed.
        let _ = sockopt::set_socket_keepalive(self.0, false);
        let _ = sockopt::set_tcp_user_timeout(self.0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_machine_is_probed_several_times_in_a_ttl() {
        for (ttl_ms, pause_s) in
            [(50, 1), (5000, 1), (11_999, 1), (12_000, 2), (60_000, 10), (86_400_000, 14_400)]
        {
            let patience = Patience::of(Ttl::new(ttl_ms).unwrap());
            assert_eq!(patience.pause, Duration::from_secs(pause_s), "{ttl_ms}");
            assert_eq!(i64::from(patience.silence_max_ms), ttl_ms);
        }
    }
}
