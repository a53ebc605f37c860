// A web application with a login of its own, whose pages talk to ticketd themselves: each gets a token
// of some minutes, which says who its user is and what that one may do.
//
// Run: node examples/login.mjs
//
// It prints how to start the server, and where the page is: open that in two tabs, or two browsers, log
// in, and edit one text by turns. Who logs in as "guest" may watch and not edit, whatever the page says.
//
// The page is at PORT, else at 8080; the server at TICKETD_URL, else at http://127.0.0.1:8001. The keys
// are kept in LOGIN_DIR, else in a directory of their own below the system's temporary one.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ticketd = process.env.TICKETD_URL ?? "http://127.0.0.1:8001";
const directory = resolve(process.env.LOGIN_DIR ?? join(tmpdir(), "ticketd-login"));

const ISSUER = "https://login.example.org";
/** How long a token is good, in s. Who is locked out keeps what it was given for no longer than this. */
const LASTS_S = 300;

/** The private key stays here; ticketd gets the public one, and believes what was signed with the other. */
const key = (() => {
  const path = join(directory, "web-app.pem");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
      flag: "wx",
    });
  } catch (error) {
    // It is there from the last time.
    if (error.code !== "EEXIST") throw error;
  }
  return createPrivateKey(readFileSync(path));
})();
writeFileSync(join(directory, "web-app.pub.pem"), createPublicKey(key).export({ type: "spki", format: "pem" }));
writeFileSync(
  join(directory, "access.toml"),
  `[[signer]]
name = "web-app"
issuer = "${ISSUER}"
algorithm = "EdDSA"
key-file = "web-app.pub.pem"
audience = "ticketd"
allow = [{ to = ["lock", "watch"], on = ["doc/*"] }]   # the most that its tokens can carry
sessions = 10                                         # of each user
`,
);

/** Who one is and what one may do, for as long as that is good: a JSON Web Token (RFC 7519). */
function token(user) {
  const now = Math.floor(Date.now() / 1000);
  const to = user === "guest" ? ["watch"] : ["lock", "watch"];
  const claims = { iss: ISSUER, aud: "ticketd", sub: user, exp: now + LASTS_S, allow: [{ to, on: ["doc/1"] }] };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const said = `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}`;
  return `${said}.${sign(null, Buffer.from(said), key).toString("base64url")}`;
}

/** Who is logged in, by what their cookie says. A real login asks for a password, and forgets them some day. */
const users = new Map();
const userOf = (request) => users.get(/(?:^|; )login=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1]);

/** What the lock protects. It remembers the highest fence that it has seen, and refuses lower ones. */
const doc = { text: "Edit me.", fence: 0 };

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function body(request) {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    if ((text += part).length > 100_000) throw new Refused(413, "too large");
  }
  return text;
}

const PAGE = readFileSync(new URL("shared-doc.html", import.meta.url), "utf8").replaceAll("http://127.0.0.1:8001", ticketd);

/** By method and path. Each gives the answer's body. */
const routes = {
  "GET /": (_, answer) => {
    answer.setHeader("Content-Type", "text/html; charset=utf-8");
    return PAGE;
  },
  "GET /login": (request) => known(request),
  "POST /login": async (request, answer) => {
    const user = (await body(request)).trim();
    if (!/^[\w.@ -]{1,40}$/.test(user)) throw new Refused(422, "a name is 1 to 40 letters");
    const cookie = randomBytes(24).toString("base64url");
    users.set(cookie, user);
    answer.setHeader("Set-Cookie", `login=${cookie}; HttpOnly; SameSite=Strict; Path=/`);
    return user;
  },
  // The page asks here whenever ticketd wants to know who it is. Nobody else may keep the answer.
  "GET /ticket-token": (request) => token(known(request)),
  "GET /doc": (request) => known(request) && doc.text,
  "PUT /doc": async (request) => {
    if (known(request) === "guest") throw new Refused(403, "guests only read");
    const fence = Number(request.headers["ticketd-fence"]);
    const text = await body(request);
    if (!(fence >= doc.fence)) throw new Refused(409, "somebody else has edited since");
    Object.assign(doc, { text, fence });
    return "saved";
  },
};

function known(request) {
  const user = userOf(request);
  if (!user) throw new Refused(401, "log in first");
  return user;
}

const server = createServer(async (request, answer) => {
  answer.setHeader("Cache-Control", "no-store");
  answer.setHeader("Content-Type", "text/plain; charset=utf-8");
  try {
    const route = routes[`${request.method} ${request.url}`];
    if (!route) throw new Refused(404, "not found");
    answer.end(await route(request, answer));
  } catch (why) {
    if (!why.status) console.error(why);
    answer.writeHead(why.status ?? 500).end(why.status ? why.message : "a fault of ours");
  }
});
server.listen(process.env.PORT ?? 8080, "127.0.0.1", () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  console.log(`Start the server:  ticketd --access ${join(directory, "access.toml")} --allow-origin ${origin}`);
  console.log(`Open the page:     ${origin}/`);
});
