"""What the server says to systemd, and the port that it is handed. A stand-in plays systemd."""

import signal
import socket
import time

from manager import Manager
from support import Case, Client

# A ping is due in half of it.
WATCHDOG_US = 1_000_000


class Notify(Case):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self.directory)
        self.addCleanup(self.manager.close)

    def healthy(self):
        with Client(self.manager.port) as client:
            status, body, _ = client.ask("GET", "/healthz")
            return (status, body.strip()) == (200, "ok")

    def test_it_serves_the_port_that_it_is_handed_and_says_when(self):
        # Who connects before the server is there waits in the port's queue.
        with socket.create_connection(("127.0.0.1", self.manager.port)) as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.manager.start()
            self.manager.hear("READY=1")
            early.settimeout(10)
            answer = early.makefile("rb").readline()
        self.assertIn(b" 200 ", answer)
        self.assertTrue(self.healthy())

    def test_a_port_that_is_meant_for_another_is_left_alone(self):
        self.manager.start(listen_pid="1")
        self.manager.hear("READY=1")
        self.assertNotIn(f":{self.manager.port}", self.manager.said())

    def test_without_a_port_it_listens_where_it_is_told(self):
        self.manager.start(fds=0)
        self.manager.hear("READY=1")
        self.assertIn(" serves http://127.0.0.1:", self.manager.said())

    def test_two_ports_are_refused(self):
        self.manager.start(fds=2)
        self.assertIn(self.manager.service.wait(10), (1, 2))
        self.assertEqual(self.manager.hear_all(0.1), [])

    def test_it_is_not_ready_when_it_does_not_start(self):
        self.manager.start("--access", self.directory / "none.toml")
        self.assertEqual(self.manager.service.wait(10), 2)
        self.assertFalse(any("READY=1" in lines for _, lines in self.manager.heard))

    def test_a_reload_is_told_with_its_time_and_its_end(self):
        self.manager.start()
        self.manager.hear("READY=1")
        for _ in range(3):
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.manager.signal(signal.SIGHUP)
            heard, lines = self.manager.hear("RELOADING=1")
            told = [line for line in lines if line.startswith("MONOTONIC_USEC=")]
            self.assertEqual(len(told), 1, lines)
            self.assertLessEqual(before, int(told[0].split("=")[1]))
            self.assertLessEqual(int(told[0].split("=")[1]), heard)
            self.manager.hear("READY=1")
        self.assertTrue(self.healthy())

    def test_a_drain_is_shown(self):
        self.manager.start()
        self.manager.hear("READY=1")
        self.manager.signal(signal.SIGUSR1)
        self.manager.hear("STATUS=no new sessions are taken")
        with Client(self.manager.port) as client:
            self.assertEqual(client.ask("GET", "/readyz")[:2], (503, "draining\n"))
            status, _, headers = client.ask("POST", "/api/v1/sessions?name=late")
            self.assertEqual((status, headers["Retry-After"]), (503, "5"))
        self.assertTrue(self.healthy())
        self.manager.signal(signal.SIGUSR2)
        self.manager.hear("STATUS=serving")
        with Client(self.manager.port) as client:
            client.session("timely")

    def test_it_feeds_the_watchdog_until_it_is_stopped(self):
        self.manager.start(watchdog_us=WATCHDOG_US)
        self.manager.hear("READY=1")
        period = WATCHDOG_US / 1e6
        pings = [when for when, lines in self.manager.hear_all(4 * period) if "WATCHDOG=1" in lines]
        gaps = [later - earlier for earlier, later in zip(pings, pings[1:])]
        self.assertGreaterEqual(len(pings), 6)
        self.assertLess(max(gaps), WATCHDOG_US)
        self.manager.freeze()
        self.assertEqual(self.manager.hear_all(1.5 * period), [])
        self.manager.signal(signal.SIGCONT)
        self.manager.hear("WATCHDOG=1")

    def test_without_a_watchdog_there_are_no_pings(self):
        self.manager.start()
        self.manager.hear("READY=1")
        self.assertFalse(any("WATCHDOG=1" in lines for _, lines in self.manager.hear_all(1)))

    def test_it_says_that_it_stops_and_the_next_one_takes_the_port_over(self):
        self.manager.start("--snappath", self.directory / "state")
        self.manager.hear("READY=1")
        with Client(self.manager.port) as client:
            session = client.session("stays")
            self.assertTrue(client.value("POST", "/locks/db", headers={"Ticketd-Session": session}))
        self.manager.signal(signal.SIGTERM)
        self.manager.hear("STOPPING=1")
        self.assertEqual(self.manager.service.wait(10), 0)
        # Nobody serves now, and nobody is refused either.
        with socket.create_connection(("127.0.0.1", self.manager.port)) as between:
            between.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.manager.start("--snappath", self.directory / "state")
            self.manager.hear("READY=1")
            between.settimeout(10)
            self.assertIn(b" 200 ", between.makefile("rb").readline())
        with Client(self.manager.port) as client:
            self.assertTrue(client.value("POST", "/locks/db", headers={"Ticketd-Session": session}))
