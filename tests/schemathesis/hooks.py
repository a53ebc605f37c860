"""What schemathesis is told beyond the description.

What JSON Schema cannot say, and what the server takes though the description forbids it, because
the original does: by operation, each with its reason. Everything else that is found is a fault.
"""

import os
import re
from urllib.parse import parse_qsl, urlsplit

import requests
import schemathesis

# Stands for the session that lives as long as the run.
THE_SESSION = "0" * 27
# Longer waits are shortened: nobody would come to end them.
WAIT_MAX_MS = 20
# Shorter lives that the description allows are made so long: a session that ended before the next
# request is rightly not found.
TTL_SHORTEST_MS, TTL_MIN_MS = 50, 60_000

NAMES_IN_BYTES = "names are bounded in bytes of UTF-8, and JSON Schema counts characters"
DEPENDENT = "parameters that do not go together; JSON Schema describes each by itself"
LINKED = "a link from a claim that got nothing, which has no ticket's name"
HEADER_WINS = "the header names the session, and the original's parameter is not looked at"
EMPTY = "the original cannot tell an empty parameter from a missing one"

# Requests that the description allows and the server refuses: operation, words, reason.
REFUSED = [
    ("*", "must be at most 255 bytes long", NAMES_IN_BYTES),
    ("lock", "steal takes a lock exclusively", DEPENDENT),
    ("lock", "steal takes a lock anew, and fence confirms it", DEPENDENT),
    ("releaseTicket", "force goes without delay, note, dead and untried", DEPENDENT),
    ("releaseTicket", "sessid is missing", DEPENDENT),
    ("unlock", "sessid is missing", DEPENDENT),
    ("hasClaim", "name is missing", LINKED),
    ("releaseTicket", "name is missing", LINKED),
    ("revokeTicket", "name is missing", LINKED),
    ("touchClaim", "name is missing", LINKED),
]


def is_no_integer(text):
    return not text.lstrip("+-").isdecimal()


def is_no_id(text):
    return not re.fullmatch("[0-9A-Za-z]{27}", text)


# Requests that the description forbids and the server takes: operation, parameter of the query,
# which values of it, reason.
TAKEN = [
    ("*", "*", lambda text: text == "", EMPTY),
    ("*", "sessid", is_no_id, HEADER_WINS),
    ("openSession", "ttl", is_no_integer, "as in the original, such a ttl is that of 5000 ms"),
]


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


def is_refused_for_a_reason(case, response):
    said = response.content.decode(errors="replace")
    return any(operation in ("*", operation_of(case)) and words in said
               for operation, words, _ in REFUSED)


def is_taken_for_a_reason(case, response):
    query = parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True)
    return any(operation in ("*", operation_of(case)) and parameter in ("*", name) and fits(value)
               for name, value in query
               for operation, parameter, fits, _ in TAKEN)


def is_put_off(failure):
    """After 20 bad tokens in a minute their address is told to come later, with 429."""
    return "got `429 " in failure.message


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    if kind == "RejectedPositiveData":
        return not is_refused_for_a_reason(case, response)
    if kind == "AcceptedNegativeData":
        return not is_taken_for_a_reason(case, response)
    if kind == "IgnoredAuth":
        return not is_put_off(failure)
    return True


@schemathesis.hook
def before_call(context, case, kwargs):
    headers, query = case.headers or {}, case.query or {}
    if headers.get("Ticketd-Session") == THE_SESSION:
        headers["Ticketd-Session"] = os.environ["TICKETD_SESSION"]
    if "wait" in query and str(query["wait"]).isdecimal():
        query["wait"] = min(int(query["wait"]), WAIT_MAX_MS)
    ttl = str(query.get("ttl", ""))
    if ttl.isdecimal() and TTL_SHORTEST_MS <= int(ttl) < TTL_MIN_MS:
        query["ttl"] = TTL_MIN_MS
    if "wait=" in str(headers.get("Prefer", "")):
        headers["Prefer"] = "wait=0"


class Adapter(requests.adapters.HTTPAdapter):
    """Sends nothing more by a connection that has become a WebSocket."""

    def send(self, *args, **kwargs):
        response = super().send(*args, **kwargs)
        if response.status_code == 101:
            self.close()
        return response


requests.sessions.HTTPAdapter = Adapter
