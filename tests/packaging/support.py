"""What the checks share: paths, a server, a directory of one's own, waiting for a condition."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
DOCS = ROOT / "docs"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TICKETD = pathlib.Path(os.environ.get("TICKETD_BIN", TARGET / "debug/ticketd"))
# The long form takes minutes: `make soak`.
LONG = os.environ.get("PACKAGING_LONG") == "1"
# How long a condition may take to come true, in s. It is there for what never does.
PATIENCE = 30


def program(name):
    """Where a program is; a test that needs one that is not there is left out, and named."""
    path = shutil.which(name)
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def run(*words, **options):
    """What a program says and ends with."""
    words = [str(word) for word in words]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def until(condition, what, patience=PATIENCE):
    """Waits for a condition, and gives back what it gave."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"this did not come true within {patience} s: {what}")
        time.sleep(0.02)


def free_port():
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answers(port):
    """Whether somebody listens there."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A ticketd that listens on a port of its own, unless it is told which."""

    def __init__(self, *options, port=0):
        words = [TICKETD, "--listen", f"127.0.0.1:{port}", *options]
        self.log = tempfile.TemporaryFile("a+")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKETD_")}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True
        )
        line = self.process.stdout.readline()
        if " serves " not in line:
            raise AssertionError(f"the server did not start: {line}{self.said()}")
        self.port = int(line.strip().rsplit(":", 1)[1].rstrip("/"))

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, number=signal.SIGTERM):
        """Ends it, and gives back its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
        self.log.close()


class Client:
    """Asks one server by REST, over one connection that is kept."""

    def __init__(self, port, tls=None, prefix="", timeout=90):
        if tls is None:
            self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        else:
            self.line = http.client.HTTPSConnection("localhost", port, context=tls, timeout=timeout)
        self.prefix = prefix

    def ask(self, method, path, body=None, headers=None):
        """The status, the body and the headers of an answer."""
        self.line.request(method, self.prefix + path, body=body, headers=headers or {})
        answer = self.line.getresponse()
        return answer.status, answer.read().decode(), answer.headers

    def value(self, method, path, **more):
        """What an answer says that must be good."""
        status, body, _ = self.ask(method, "/api/v1" + path, **more)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {body}")
        return json.loads(body)

    def session(self, name, ttl_ms=60_000):
        return self.value("POST", f"/sessions?name={name}&ttl={ttl_ms}")

    def close(self):
        self.line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Certificate:
    """A certificate for localhost that signs itself, made anew for each test."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "cert.pem"
        self.key = pathlib.Path(directory) / "key.pem"
        made = run(
            program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "1",
            "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", self.key, "-out", self.path,
        )
        assert made.returncode == 0, made.stderr

    def context(self):
        return ssl.create_default_context(cafile=self.path)


class Case(unittest.TestCase):
    """A test with a directory of its own, which all may enter."""

    maxDiff = None

    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="ticketd-packaging-")
        self.addCleanup(made.cleanup)
        self.directory = pathlib.Path(made.name)
        self.directory.chmod(0o755)

    def serving(self, *options, **more):
        server = self.enterContext(Server(*options, **more))
        return server
