// connect() to what cannot work. It was silent for 30 s and then said "unavailable", whatever the matter was. What is
// definite rejects at once and says what to do; what may pass is tried on, and the end tells the last reason.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as listen } from "node:net";
import { createServer } from "node:http";
import { after, before } from "node:test";
import WebSocket, { WebSocketServer } from "ws";

import { TicketdError, connect } from "../index.js";
import { serve } from "./support/server.mjs";
import { nothingUnheeded, sleep, soon, test } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

/** As browsers do, and Node's own from 22 on: it does not tell why. */
class Silent extends WebSocket {
  set onerror(hear) {
    super.onerror = hear && (() => hear({ type: "error" }));
  }
}
/** Whose upgrades have these options beside. */
const having = (options) =>
  class extends WebSocket {
    constructor(url, protocol) {
      super(url, protocol, options);
    }
  };

/** Far below the 30 s after which everything ends, in ms. */
const AT_ONCE = 5000;
/** What is tried on has been tried so often by then. */
const FAST = { min: 1, max: 20 };

const address = async (t, listener) => {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  return `127.0.0.1:${listener.address().port}`;
};

/** Answers every request and upgrade so. */
const answering = (t, status, seen = () => {}) => {
  const http = createServer((_, response) => response.writeHead(status).end());
  http.on("upgrade", (_, socket) => {
    seen();
    socket.on("error", () => {});
    socket.end(`HTTP/1.1 ${status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
  t.after(() => http.closeAllConnections());
  return address(t, http);
};

/** The error, which is one of the helper's and says where, and why. */
const refused = async (url, code, message, options = {}) => {
  const error = await soon(`a rejection by ${url}`, connect(url, options).then(assert.fail, (error) => error), AT_ONCE);
  assert.ok(error instanceof TicketdError, `${error?.stack}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.match(error.stack, /refused\.test/, "the caller's stack");
  return error;
};

for (const [how, Socket] of [["a WebSocket that tells why", WebSocket], ["one that does not", Silent]]) {
  test(`${how}: what is definite rejects at once, with what to do`, async (t) => {
    for (const [status, code, message] of [
      [401, "unauthorized", /401/],
      [403, "forbidden", /--allow-origin.*--host.*403/],
      [404, "protocol", /no ticketd there.*404/],
      [200, "protocol", /no ticketd there.*200/],
      [302, "protocol", /no ticketd there.*302/],
      [400, "protocol", /no ticketd there.*400/],
      [405, "protocol", /no ticketd there.*405/],
    ]) {
      const host = await answering(t, status);
      const error = await refused(`http://${host}`, code, message, { WebSocket: Socket });
      assert.ok(error.message.startsWith(`${host}/api/v1/ws: `), error.message);
      assert.ok(error.cause);
      assert.ok(!error.retryable);
    }
  });

  test(`${how}: what may pass is tried on`, async (t) => {
    for (const status of [408, 425, 429, 500, 502, 503, 504]) {
      const stop = new AbortController();
      let times = 0;
      const host = await answering(t, status, () => ++times > 3 && stop.abort(new Error(`${status} again`)));
      const wanted = connect(`http://${host}`, { WebSocket: Socket, signal: stop.signal, backoff: FAST });
      await assert.rejects(soon(`${status} four times`, wanted), { message: `${status} again` });
    }
  });

  test(`${how}: other services, and https to http`, async (t) => {
    const mail = await address(t, listen((socket) => socket.on("error", () => {}).end("220 mail.example\r\n")));
    await refused(`http://${mail}`, "protocol", /no ticketd there/, { WebSocket: Socket });
    const error = await refused(`https://${new URL(server.url).host}`, "protocol", /http or https\?/, { WebSocket: Socket });
    assert.match(`${error.cause.code}`, /PROTO|SSL/);
  });

  test(`${how}: a wrong path of the real server`, async () => {
    await refused(`${server.url}/x`, "protocol", /\/x: no ticketd there.*404/, { WebSocket: Socket });
  });

  test(`${how}: a port that is refused, and opens later`, async (t) => {
    const late = await serve();
    t.after(() => late.kill());
    await late.kill();
    const wanted = connect(late.url, { WebSocket: Socket, backoff: FAST });
    assert.equal(await Promise.race([wanted.catch(() => "rejected"), sleep(300, "tried on")]), "tried on");
    await late.start();
    await (await soon("the session", wanted)).close();
  });

  test(`${how}: a port that stays refused: the end tells the last reason`, async (t) => {
    const gone = listen();
    const port = await address(t, gone);
    await new Promise((resolve) => gone.close(resolve));
    // Thirty seconds pass by the wall clock.
    const real = Date.now;
    t.after(() => (Date.now = real));
    let ahead = 0;
    Date.now = () => real() + ahead;
    const wanted = connect(`http://${port}`, { WebSocket: Socket, backoff: FAST });
    wanted.catch(() => {});
    await sleep(200);
    ahead = 31_000;
    const error = await soon("the end", wanted.then(assert.fail, (error) => error), AT_ONCE);
    assert.equal(error.code, "unavailable");
    assert.ok(error.retryable);
    assert.match(error.message, new RegExp(`^${port}/api/v1/ws: .*ECONNREFUSED`));
    assert.equal(error.cause.code, "unavailable");
    assert.equal(error.cause.cause.code, "ECONNREFUSED");
  });
}

test("the real server, by a name and from a page that it does not know", async () => {
  for (const options of [{ origin: "http://evil.example" }, { headers: { host: "evil.example" } }]) {
    await refused(server.url, "forbidden", /--allow-origin\? --host\?/, { WebSocket: having(options) });
  }
});

test("a host that there is not", async () => {
  const lookup = (host, _, done) => done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }));
  const error = await refused("http://nowhere.invalid", "unavailable", /nowhere\.invalid.*ENOTFOUND/, {
    WebSocket: having({ lookup }),
  });
  assert.equal(error.cause.code, "ENOTFOUND");
});

test("… but one that the resolver does not know now is tried on", async () => {
  const stop = new AbortController();
  let times = 0;
  const lookup = (host, _, done) => {
    if (++times > 3) stop.abort(new Error("enough"));
    done(Object.assign(new Error(`getaddrinfo EAI_AGAIN ${host}`), { code: "EAI_AGAIN" }));
  };
  const wanted = connect("http://nowhere.invalid", { WebSocket: having({ lookup }), signal: stop.signal, backoff: FAST });
  await assert.rejects(soon("four tries", wanted), { message: "enough" });
});

test("one that speaks other subprotocols, or none", async (t) => {
  for (const handleProtocols of [() => false, () => "other.v1"]) {
    const other = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols });
    t.after(() => other.close());
    await once(other, "listening");
    await refused(`http://127.0.0.1:${other.address().port}`, "protocol", /no ticketd there.*subprotocol/);
  }
});

// Once there was a session, it is worth every try: what answers 404 may be a proxy whose server restarts.
test("one who comes back is not sent off by what is definite for others", async (t) => {
  let wrong = false;
  class Front extends WebSocket {
    constructor(url, protocol) {
      super(wrong ? url.replace("/ws", "/nothing") : url, protocol);
      Front.last = this;
    }
  }
  const session = await connect(server.url, { WebSocket: Front, backoff: FAST });
  t.after(() => session.close());
  const lock = await session.lock("worth every try");
  wrong = true;
  const [recovering, recovered] = ["statechange", "recovered"].map((type) => once(session, type));
  Front.last.terminate();
  await soon("the cut", recovering);
  await sleep(100);
  wrong = false;
  await soon("the way back", recovered);
  assert.ok(!lock.signal.aborted);
});

test("a signal that ends connect() while it asks why: its reason, and nothing is left", async (t) => {
  const asked = createServer(() => stop.abort(reason));
  asked.on("upgrade", (_, socket) => socket.destroy());
  t.after(() => asked.closeAllConnections());
  const stop = new AbortController();
  const reason = new Error("enough");
  const wanted = connect(`http://${await address(t, asked)}`, { WebSocket: Silent, signal: stop.signal });
  await assert.rejects(soon("the end", wanted), reason);
});
