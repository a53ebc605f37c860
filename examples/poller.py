#!/usr/bin/env python3
"""A worker that polls by REST, with nothing but the standard library.

Run: python3 examples/poller.py

The jobs come from issuer.mjs beside this, or from curl; start as many workers as you like. The
server is at TICKETD_URL, else at http://127.0.0.1:8001; who you are, if it asks, in TICKETD_TOKEN.
Ctrl-C gives everything back.

Polling does not mean asking all the time: a request with `wait=` stands in the queue, and is
answered when there is a job. Every request is a sign of life; while a job is worked, a thread gives
them. When the server does not answer for nearly a ttl, the job is dropped by our own clock, for
then it may be another's.
"""

import base64
import http.client
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

API = os.environ.get("TICKETD_URL", "http://127.0.0.1:8001").rstrip("/") + "/api/v1"
TOKEN = os.environ.get("TICKETD_TOKEN")
RESOURCE = "examples/jobs"
TTL = 10.0  # s
MARGIN = 1.0  # s; so long before the server could give our job to another, we stop


class Lost(Exception):
    """The session has ended, or may have."""


class Refused(Exception):
    """The server says no, and why: a code of the protocol."""


class Session:
    def __init__(self):
        self.id = None
        self.safe = 0.0  # Until when the session lives for certain.
        asked = {"name": f"poller.py {os.getpid()}", "ttl": int(TTL * 1000)}
        self.id = self.ask("POST", "/sessions?" + urllib.parse.urlencode(asked))[0]

    def ask(self, method, path, patience=3.0):
        """Body and headers of the answer. Raises Lost when there is no such session, OSError when
        there is no answer, else Refused."""
        request = urllib.request.Request(API + path, method=method)
        if self.id:
            # In a header it is kept out of logs.
            request.add_header("Ticketd-Session", self.id)
        if TOKEN:
            request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Accept", "application/problem+json")
        sent = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                body, headers = json.load(answer), answer.headers
        except urllib.error.HTTPError as error:
            try:
                with error:
                    code = json.load(error)["code"]
            except (ValueError, KeyError):
                raise SystemExit(f"{API}: HTTP {error.code}; is that a ticketd?") from None
            if code == "session-not-found":
                raise Lost("the session has ended") from None
            # unavailable: the server is going away.
            raise (OSError if code == "unavailable" else Refused)(code) from None
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        self.safe = max(self.safe, sent + TTL - MARGIN)
        return body, headers

    def claim(self):
        """Waits for a job: its name, data and fence."""
        while True:
            path = f"/claims/{urllib.parse.quote(RESOURCE, safe='')}?wait=30000"
            # If an answer gets lost, asking again gets the same job again.
            claim, headers = self.ask("POST", path, patience=40.0)
            if claim["Claimed"]:
                ticket = claim["Ticket"]
                data = json.loads(base64.b64decode(ticket["Data"] or "") or "{}")
                # The wait was long, and the clock runs from when it began: hear from the server anew.
                self.ask("PUT", f"/sessions/{self.id}", patience=2.0)
                return ticket["Name"], data, int(headers["Ticketd-Fence"])

    def done(self, name):
        """The job is finished: nobody gets it again."""
        query = urllib.parse.urlencode({"name": name})
        path = f"/tickets/{urllib.parse.quote(RESOURCE, safe='')}?{query}"
        while time.monotonic() < self.safe:
            try:
                return self.ask("DELETE", path, patience=1.0)
            except OSError:
                time.sleep(0.5)
            except Refused as why:
                if str(why) in ("unauthorized", "forbidden"):
                    raise
                return None  # It is not there any more: the answer to an earlier try got lost.
        raise Lost(f"{name} may be another's by now")

    def close(self):
        """Gives back all that the session has."""
        self.ask("DELETE", f"/sessions/{self.id}")


class Heartbeat:
    """Refreshes the session while a job is worked. `lost` is set when the job must stop."""

    def __init__(self, session):
        self.session = session
        self.lost = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        # Each turn takes three tenths of a ttl at most: the pause, connecting, the answer.
        while not self.over.wait(TTL / 10):
            try:
                self.session.ask("PUT", f"/sessions/{self.session.id}", patience=TTL / 10)
            except (OSError, Refused):
                if time.monotonic() > self.session.safe - TTL / 10 * 4:
                    self.lost.set()
            except Lost:
                self.lost.set()

    def __enter__(self):
        self.thread.start()
        return self.lost

    def __exit__(self, *_):
        self.over.set()


def work(name, job, fence, lost):
    print(f"{name}: begun, fence {fence}", flush=True)
    # Work that looks at `lost` ends before another worker can get the job.
    if lost.wait(job.get("ms", 1000) / 1000):
        raise Lost(f"{name} may be another's by now")


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session = None
    try:
        while True:
            try:
                session = session or Session()
                name, job, fence = session.claim()
                with Heartbeat(session) as lost:
                    work(name, job, fence, lost)
                    session.done(name)
                print(f"{name}: done", flush=True)
            except Lost as why:
                print(f"{why}; opening another session", flush=True)
                session = None
            except OSError as why:
                print(f"no answer: {why}; trying again", flush=True)
                time.sleep(2)
    except Refused as why:
        raise SystemExit(f"{API}: {why}; is TICKETD_TOKEN what it takes?") from None
    except KeyboardInterrupt:
        print("stopping")
    finally:
        try:
            if session:
                session.close()
        except (OSError, Lost, Refused):
            pass  # The server ends it when its ttl is over.


if __name__ == "__main__":
    main()
