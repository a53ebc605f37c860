#!/usr/bin/env python3
"""A worker that polls by REST, with nothing but the standard library.

Run: python3 examples/poller.py

The jobs come from issuer.mjs beside this, or from curl; start as many workers as you like. The
server is at TICKETD_URL, else at http://127.0.0.1:8001; who you are, if it asks, in TICKETD_TOKEN.
Ctrl-C gives everything back.

Polling does not mean asking all the time: a request with `wait=` stands in the queue, and is
answered when there is a job. The job is ours for a hold, which is much shorter than the session's
ttl may be: while it is worked, a thread touches it, and each touch begins the hold anew. When none
got through for nearly a hold, the job is dropped by our own clock, for then it may be another's. A
worker that hangs, though its session lives, loses its job likewise.
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
QUEUE = urllib.parse.quote("examples/jobs", safe="")
TTL = 30.0  # s
HOLD = 6.0  # s
MARGIN = 0.6  # s; so long before the server could give our job to another, we stop
RETRY = 2.0  # s; what failed is put off for so long


class Lost(Exception):
    """The job is not ours any more, or may be another's."""


class Gone(Lost):
    """The session has ended, and all that it had."""


class Refused(Exception):
    """The server says no, and why: a code of the protocol."""


def query(**members):
    return "?" + urllib.parse.urlencode(members)


class Session:
    def __init__(self):
        self.id = None
        asked = {"name": f"poller.py {os.getpid()}", "ttl": int(TTL * 1000)}
        self.id = self.ask("POST", "/sessions" + query(**asked))[0]

    def ask(self, method, path, patience=3.0):
        """Body and headers of the answer. Raises Gone when there is no such session, OSError when
        there is no answer, else Refused."""
        request = urllib.request.Request(API + path, method=method)
        if self.id:
            # In a header it is kept out of logs.
            request.add_header("Ticketd-Session", self.id)
        if TOKEN:
            request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Accept", "application/problem+json")
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
                raise Gone("the session has ended") from None
            # unavailable: the server is going away.
            raise (OSError if code == "unavailable" else Refused)(code) from None
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        return body, headers

    def claim(self):
        """Waits for a job."""
        while True:
            path = f"/claims/{QUEUE}" + query(wait=20000, hold=int(HOLD * 1000))
            # If an answer gets lost, asking again gets the same job again.
            claim, headers = self.ask("POST", path, patience=30.0)
            if claim["Claimed"]:
                return Job(self, claim["Ticket"], int(headers["Ticketd-Fence"]))

    def close(self):
        """Gives back all that the session has."""
        self.ask("DELETE", f"/sessions/{self.id}")


class Job:
    """A claimed ticket. `lost` is set when it must not be worked any more."""

    def __init__(self, session, ticket, fence):
        self.session = session
        self.name = ticket["Name"]
        self.data = base64.b64decode(ticket["Data"] or "") or b"{}"
        self.fence = fence
        self.lost = threading.Event()
        self.over = threading.Event()
        self.safe = 0.0  # Until when it is ours for certain.
        # The wait was long, and nobody knows how much of the hold has gone: begin it anew first.
        self.touch(patience=2.0)

    def ours(self, **more):
        """By its fence, so that a grant after this one is never meant."""
        return query(name=self.name, fence=self.fence, **more)

    def touch(self, patience):
        sent = time.monotonic()
        try:
            self.session.ask("PUT", f"/claims/{QUEUE}" + self.ours(), patience)
        except Refused as why:
            if str(why) in ("unauthorized", "forbidden"):
                raise
            raise Lost(f"{self.name} is lost") from None
        # Counted from when it was asked: the server has begun later, if anything.
        self.safe = sent + HOLD - MARGIN

    def keep(self):
        """Touches it while it is worked."""
        # Each turn takes a fifth of a hold at most, for the pause, and another for the answer.
        while not self.over.wait(HOLD / 5):
            try:
                self.touch(patience=HOLD / 5)
            except OSError:
                # It must be told before, not after: no further try would end in time.
                if time.monotonic() > self.safe - HOLD / 5 * 2:
                    self.lost.set()
            except (Lost, Refused):
                self.lost.set()

    def work(self):
        print(f"{self.name}: begun, fence {self.fence}", flush=True)
        job = json.loads(self.data)
        # Work that looks at `lost` ends before another worker can get the job.
        if self.lost.wait(job.get("ms", 1000) / 1000):
            raise Lost(f"{self.name} may be another's by now")

    def end(self, method, path):
        """Says how it ended, for as long as it is ours."""
        while time.monotonic() < self.safe:
            try:
                return self.session.ask(method, path, patience=1.0)
            except OSError:
                time.sleep(0.5)
            except Refused as why:
                if str(why) in ("unauthorized", "forbidden"):
                    raise
                return None  # It is not there any more: the answer to an earlier try got lost.
        raise Lost(f"{self.name} may be another's by now")

    def done(self):
        """It is finished: nobody gets it again."""
        self.end("DELETE", f"/tickets/{QUEUE}" + self.ours())
        print(f"{self.name}: done", flush=True)

    def fail(self, why):
        """It is put off, with a note for those who look."""
        note = str(why).encode()[:200].decode(errors="ignore")
        self.end("DELETE", f"/claims/{QUEUE}" + self.ours(delay=int(RETRY * 1000), note=note))
        print(f"{self.name}: {why}", flush=True)

    def run(self):
        threading.Thread(target=self.keep, daemon=True).start()
        try:
            self.work()
        except (ValueError, TypeError, AttributeError) as why:
            self.fail(why)
        else:
            self.done()
        finally:
            self.over.set()


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session = None
    try:
        while True:
            try:
                session = session or Session()
                session.claim().run()
            except Gone as why:
                print(f"{why}; opening another session", flush=True)
                session = None
            except Lost as why:
                print(f"{why}; going on with the next", flush=True)
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
