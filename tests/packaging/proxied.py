"""What must be true through any proxy. Each proxy's test is one of these stories' heirs."""

import contextlib
import itertools
import json
import socket
import threading
import time
import unittest

from manager import Manager
from support import LONG, Certificate, Client, answers, free_port, until

try:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect
except ImportError:
    raise unittest.SkipTest("Python has no websockets: tests/packaging/check install")

# As people have them, or as they fit into seconds.
WAIT_S = 60 if LONG else 2
IDLE_S = 120 if LONG else 3
TTL_MS = 60_000 if LONG else 1500
QUIET_S = 90 if LONG else 2
RACE_S = 120 if LONG else 5
# How many clients ask while the server is restarted, and how often it is.
ASKING, RESTARTS = 4, 3
# How long the server lets a connection idle, and the proxy one to the server.
SERVER_IDLE_MS, PROXY_IDLE = (15_000, "10s") if LONG else (900, "600ms")


class Proxied:
    """Stories for a proxy that `start_proxy(backend port, certificate)` starts; it gives its port."""

    def setUp(self):
        super().setUp()
        self.certificate = Certificate(self.directory)
        self.tls = self.certificate.context()

    def behind(self, backend):
        self.port = self.start_proxy(backend, self.certificate)
        until(lambda: answers(self.port), "the proxy listens")
        return self

    def served(self, *options):
        """A server behind the proxy."""
        server = self.serving("--trust-proxy", "127.0.0.1/32", *options)
        self.behind(server.port)
        return server

    def client(self):
        return self.enterContext(Client(self.port, self.tls))

    @contextlib.contextmanager
    def socket(self, session=None, ttl=TTL_MS, attempt=1):
        """A socket, and the answer to its hello."""
        uri = f"wss://localhost:{self.port}/api/v1/ws"
        # The server pings; a client that pinged too would hide it if that did not come through.
        with connect(
            uri, ssl=self.tls, subprotocols=["ticketd.v1"], ping_interval=None, proxy=None
        ) as line:
            hello = {"session": session, "attempt": attempt} if session else {"ttl": ttl}
            yield line, ask(line, id=1, op="hello", **hello)

    def test_names_and_pages_come_through(self):
        self.served()
        client = self.client()
        session = client.session("who")
        headers = {"Ticketd-Session": session}
        for name in ("a%2Fb", "100%25", "a+b%20c", "%C3%BC"):
            self.assertTrue(client.value("POST", f"/locks/{name}", headers=headers))
            self.assertEqual(client.value("GET", f"/resources/{name}")["held"], 1)
        own = {"Origin": f"https://localhost:{self.port}"}
        self.assertEqual(client.ask("GET", "/api/v1/status", headers=own)[0], 200)
        other = {"Origin": f"https://localhost:{self.port + 1}"}
        self.assertEqual(client.ask("GET", "/api/v1/status", headers=other)[0], 403)

    def test_the_client_is_who_it_is_and_not_who_it_says(self):
        self.served()
        client = self.client()
        client.line.source_address = ("127.0.0.2", 0)
        session = client.value(
            "POST", "/sessions?name=who&ttl=60000", headers={"X-Forwarded-For": "203.0.113.9"}
        )
        self.assertEqual(client.value("GET", f"/sessions/{session}")["Src"], "127.0.0.2")

    def test_a_request_waits(self):
        self.served()
        first, second = self.client(), self.client()
        holder, waiter = first.session("holder", 90_000), second.session("waiter", 90_000)
        self.assertTrue(first.value("POST", "/locks/db", headers={"Ticketd-Session": holder}))
        begun = time.monotonic()
        # A proxy that gave up earlier would answer 504.
        path = f"/locks/db?wait={WAIT_S * 1000}"
        self.assertFalse(second.value("POST", path, headers={"Ticketd-Session": waiter}))
        self.assertGreaterEqual(time.monotonic() - begun, WAIT_S - 0.1)

    def test_who_hangs_up_leaves_the_queue(self):
        server = self.served()
        direct = self.enterContext(Client(server.port))
        holder, waiter = direct.session("holder"), direct.session("waiter")
        self.assertTrue(direct.value("POST", "/locks/db", headers={"Ticketd-Session": holder}))
        gone = Client(self.port, self.tls)
        gone.line.request("POST", "/api/v1/locks/db?wait=50000", headers={"Ticketd-Session": waiter})
        waiting = lambda: direct.value("GET", "/resources/db")["waiting"]
        until(lambda: waiting() == 1, "it waits")
        gone.close()
        until(lambda: waiting() == 0, "it has left the queue", patience=5)

    def test_events_come_at_once_and_the_stream_stays(self):
        server = self.served()
        direct = self.enterContext(Client(server.port))
        session = {"Ticketd-Session": direct.session("holder", 200_000)}
        direct.value("POST", "/locks/db", headers=session)
        client = self.client()
        begun = time.monotonic()
        client.line.request("GET", "/api/v1/resources/db/events")
        answer = client.line.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(event(answer)["held"], 1)
        self.assertLess(time.monotonic() - begun, 2)
        # The server closes what idles, and so does a client that knows.
        direct.close()
        time.sleep(QUIET_S)
        direct.value("DELETE", "/locks/db", headers=session)
        begun = time.monotonic()
        self.assertEqual(event(answer)["held"], 0)
        self.assertLess(time.monotonic() - begun, 2)

    def test_a_socket_idles_and_keeps_what_it_holds(self):
        self.served()
        with self.socket() as (line, hello):
            self.assertEqual(line.subprotocol, "ticketd.v1")
            fence = ask(line, id=2, op="lock", resource="db")["fence"]
            # Nothing but pings: no event, no close.
            with self.assertRaises(TimeoutError):
                line.recv(timeout=IDLE_S)
            state = ask(line, id=3, op="session")
            self.assertEqual([hold["fence"] for hold in state["holds"]], [fence])
            self.assertEqual(state["epoch"], hello["epoch"])

    def test_a_client_that_is_silent_loses_its_session(self):
        server = self.served()
        direct = self.enterContext(Client(server.port))
        raw = socket.create_connection(("localhost", self.port))
        with self.tls.wrap_socket(raw, server_hostname="localhost") as line:
            line.settimeout(20)
            line.sendall(
                b"GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            self.assertIn(b" 101 ", line.recv(4096))
            line.sendall(masked(b'{"id":1,"op":"hello","ttl":1000}'))
            until(lambda: direct.value("GET", "/status")["Sessions"] == 1, "its session is there")
            # It answers no ping, and says nothing. The end of its session comes through.
            while line.recv(4096):
                pass
        self.assertEqual(direct.value("GET", "/status")["Sessions"], 0)

    def test_connections_that_the_server_closes_fail_no_request(self):
        self.served("--idle", str(SERVER_IDLE_MS))
        answered, failed, end = itertools.count(), [], time.monotonic() + RACE_S

        def ask_now_and_then(number):
            # Between each client's requests the proxy's connection idles for about as long as the
            # server lets it, a little longer each time.
            pause = SERVER_IDLE_MS / 1000 * (0.6 + number * 0.025)
            with Client(self.port, self.tls) as client:
                while time.monotonic() < end:
                    status, body, _ = client.ask("POST", "/api/v1/sessions?name=x&ttl=1000")
                    next(answered) if status == 200 else failed.append((status, body))
                    client.close()
                    time.sleep(pause)

        together(ask_now_and_then, 40)
        self.assertEqual(failed, [])
        self.assertGreater(next(answered), 100)

    def test_a_restart_on_a_port_that_stays_fails_only_what_crosses_it(self):
        manager = Manager(self.directory)
        self.addCleanup(manager.close)
        options = ("--snappath", self.directory / "state", "--trust-proxy", "127.0.0.1/32")

        def start():
            manager.start(*options)
            manager.hear("READY=1")

        start()
        self.behind(manager.port)
        failed = self.restarted(manager.stop, start)
        # A request that is sent on a kept connection in the moment in which the server closes that:
        # at most one of each client and restart. Nobody is refused, or has to wait for long.
        self.assertEqual({status for status, _ in failed} - {502}, set())
        self.assertLessEqual(len(failed), ASKING * RESTARTS)

    def test_a_restart_on_a_port_of_its_own_fails_only_as_bad_gateway(self):
        port, servers = free_port(), []
        options = ("--snappath", str(self.directory / "state"), "--trust-proxy", "127.0.0.1/32")

        def start():
            servers.append(self.serving(*options, port=port))

        start()
        self.behind(port)
        failed = self.restarted(lambda: servers[-1].stop(), start)
        # Refused by nobody who was there, and told so at once.
        self.assertEqual({status for status, _ in failed} - {502}, set())

    def restarted(self, stop, start):
        """Restarts a server that a socket holds a lock of, and others ask all the time.

        Gives back the answers that were none.
        """
        answered, failed, done = itertools.count(), [], threading.Event()

        def ask_all_the_time():
            while not done.is_set():
                with Client(self.port, self.tls) as client:
                    status, body, _ = client.ask("POST", "/api/v1/sessions?name=x&ttl=1000")
                    next(answered) if status == 200 else failed.append((status, body))

        asking = [threading.Thread(target=ask_all_the_time) for _ in range(ASKING)]
        with self.socket(ttl=20_000) as (line, hello):
            fence = ask(line, id=2, op="lock", resource="db")["fence"]
            [thread.start() for thread in asking]
            try:
                for _ in range(RESTARTS):
                    self.assertEqual(stop(), 0)
                    start()
                # Nothing fails any more once it is back.
                count = next(answered) + len(failed)
                until(lambda: next(answered) > count + 100, "requests are answered")
            finally:
                done.set()
                [thread.join() for thread in asking]
            with self.assertRaises(ConnectionClosed) as closed:
                while True:
                    line.recv(timeout=10)
            self.assertEqual(closed.exception.rcvd.code, 1012)
        with self.socket(session=hello["session"], attempt=2) as (_, resumed):
            self.assertIs(resumed["resumed"], True)
            self.assertEqual([hold["fence"] for hold in resumed["holds"]], [fence])
        print(f"{RESTARTS} restarts: {next(answered)} answered, {len(failed)} failed")
        return failed


def ask(line, **request):
    """Sends a request, and gives back its answer; events before it are passed over."""
    line.send(json.dumps(request))
    while True:
        message = json.loads(line.recv(timeout=20))
        if message.get("id") == request["id"]:
            return message["ok"]


def event(answer):
    """The next event of a stream."""
    while True:
        line = answer.readline().decode()
        if not line:
            raise AssertionError("the stream has ended")
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))


def masked(text):
    """A frame with a short text, masked by zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def together(job, count):
    threads = [threading.Thread(target=job, args=(n,)) for n in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
