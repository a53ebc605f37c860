// Access files for a real server, and who shows what: tokens, and JSON Web Tokens of a login.

import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ISSUER = "https://login.test";

/** A token, and what the file has of it. */
export const newToken = () => {
  const token = `tkd_${randomBytes(32).toString("base64url")}`;
  return { token, hash: createHash("sha256").update(token).digest("hex") };
};

/** What allows that on those names. @param {string[]} to @param {string[]} [on] */
const rule = (to, on) => `{ to = ${JSON.stringify(to)}${on ? `, on = ${JSON.stringify(on)}` : ""} }`;

/** @param {[string[], string[]?][]} rules */
export const allow = (...rules) => `allow = [${rules.map((of) => rule(...of)).join(", ")}]`;

/** Of a principal. @param {string} name @param {string[]} hashes @param {string} more Its rules, and its quotas. */
export const principal = (name, hashes, more) =>
  `[[principal]]\nname = "${name}"\ntoken-sha256 = ${JSON.stringify(hashes)}\n${more}\n`;

/** A directory with an access file in it, which can be written again, and a signer's key. */
export const accessFile = () => {
  const directory = mkdtempSync(join(tmpdir(), "ticketd-access-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(join(directory, "login.pem"), publicKey.export({ type: "spki", format: "pem" }));
  const path = join(directory, "access.toml");
  return {
    directory,
    path,
    args: ["--access", path],
    /** @param {string[]} parts */
    write: (...parts) => writeFileSync(path, parts.join("\n"), { mode: 0o600 }),
    /** The signer, with that many rights at most. @param {string} more */
    signer: (more) =>
      `[[signer]]\nname = "login"\nissuer = "${ISSUER}"\nalgorithm = "EdDSA"\nkey-file = "login.pem"\naudience = "ticketd"\n${more}\n`,
    /** A token of that user's, for so many s. @param {string} sub @param {number} lasts @param {object} [more] */
    jwt(sub, lasts, more) {
      const now = Math.floor(Date.now() / 1000);
      const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const said = `${part({ alg: "EdDSA" })}.${part({ iss: ISSUER, aud: "ticketd", sub, exp: now + lasts, ...more })}`;
      return `${said}.${sign(null, Buffer.from(said), privateKey).toString("base64url")}`;
    },
  };
};
