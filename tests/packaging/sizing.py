"""Measures what the operator's document says of sizes: TICKETD_BIN=target/release/ticketd sizing.py.

It is no test: figures differ with machines. Memory is the server's anonymous pages, so neither the
kernel's buffers nor the program itself.
"""

import pathlib
import re
import resource
import socket
import sys
import tempfile
import threading
import time

from support import Certificate, Client, Server, TICKETD, run, until

NAMES = 100_000
SOCKETS = 10_000
TLS_SOCKETS = 2000


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"the program: {TICKETD.stat().st_size / 1e6:.1f} MB")
    in_memory()
    sockets(SOCKETS, None)
    with tempfile.TemporaryDirectory() as directory:
        certificate = Certificate(directory)
        sockets(TLS_SOCKETS, certificate)
    syncs(1)
    syncs(32)


def anonymous(server):
    """KiB of memory that is the process's own."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1])


class Growth:
    """Says how much a server has grown since the last time."""

    def __init__(self, server):
        self.server, self.last = server, anonymous(server)
        print(f"empty: {self.last} KiB")

    def say(self, what, count):
        time.sleep(1)
        now = anonymous(self.server)
        print(f"{what}: {(now - self.last) * 1024 / count:.0f} bytes each ({count})", flush=True)
        self.last = now


def in_memory():
    with Server("--loglevel", "1") as server, Client(server.port) as client:
        growth = Growth(server)
        ids = [client.session(f"worker-{n}", 3_600_000) for n in range(NAMES)]
        growth.say("a session", NAMES)
        for n, one in enumerate(ids):
            client.value("POST", f"/locks/lock-{n}?sessid={one}")
        growth.say("a held lock, a name of its own", NAMES)
        for n, one in enumerate(ids):
            path = f"/tickets/queue?sessid={one}&name=job-{n}&stay=true"
            client.value("POST", path, body="x" * 100)
        growth.say("a ticket that stays, 100 bytes of data, in one resource", NAMES)
        begun = time.monotonic()
        client.value("GET", "/status")
        print(f"/status with all that: {(time.monotonic() - begun) * 1000:.1f} ms")


def sockets(count, certificate):
    options = ("--tls-cert", certificate.path, "--tls-key", certificate.key) if certificate else ()
    with Server("--loglevel", "1", *map(str, options)) as server:
        growth = Growth(server)
        lines = [opened(server.port, certificate) for _ in range(count)]
        growth.say(f"a socket{' with TLS' if certificate else ''} and its session", count)
        open_now = len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))
        print(f"descriptors: {open_now}, {open_now - count} more than sockets")
        for line in lines:
            line.sendall(masked(b'{"id":2,"op":"lock","resource":"one","wait":true}'))
        growth.say("a place in a queue", count)
        for line in lines:
            line.close()


def opened(port, certificate):
    line = socket.create_connection(("127.0.0.1", port))
    if certificate:
        line = certificate.context().wrap_socket(line, server_hostname="localhost")
    line.sendall(
        b"GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    line.sendall(masked(b'{"id":1,"op":"hello","name":"worker","ttl":3600000}'))
    heard = b""
    while b'"resumed"' not in heard:
        heard += line.recv(4096)
    return line


def masked(text):
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def syncs(clients, requests=300):
    """How many syncs so many clients need that lock and unlock."""
    with tempfile.TemporaryDirectory() as directory:
        with Server("--loglevel", "1", "--snappath", f"{directory}/state") as server:
            strace = f"{directory}/strace"
            command = ["strace", "-f", "-q", "-e", "trace=fdatasync", "-o", strace, "-p"]
            tracer = threading.Thread(target=run, args=(*command, server.process.pid))
            tracer.start()
            until(lambda: pathlib.Path(strace).exists(), "strace looks")
            time.sleep(0.5)
            begun = time.monotonic()
            threads = [threading.Thread(target=locks, args=(server.port, n, requests))
                       for n in range(clients)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            took = time.monotonic() - begun
            server.stop()
            tracer.join()
            made = len(re.findall("fdatasync", pathlib.Path(strace).read_text()))
            done = clients * requests
            print(f"{clients} clients: {made / done:.2f} syncs a command, {done / took:.0f} commands/s (traced)")


def locks(port, number, requests):
    with Client(port) as client:
        session = client.session("locker")
        for _ in range(requests // 2):
            client.value("POST", f"/locks/own-{number}?sessid={session}")
            client.value("DELETE", f"/locks/own-{number}?sessid={session}")


if __name__ == "__main__":
    sys.exit(main())
