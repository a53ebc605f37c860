// Asks for a token.

import { make } from "./dom.js";
import { overheard, who } from "./who.js";

const WARNING =
  "This page came without TLS. Whoever can listen on the way sees the token, and may then do all that you may. " +
  "Use https, or an ssh tunnel to this machine.";

/**
 * @param {HTMLElement} main @param {string | undefined} why What was wrong with the last one.
 * @param {() => void} done
 */
export function signIn(main, why, done) {
  const token = make("input", {
    id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    pattern: "\\s*[!-~]+\\s*", title: "a token is one word", "aria-describedby": "token-hint token-why",
  });
  const stay = make("input", { id: "stay", type: "checkbox" });
  const risk = make("input", { id: "risk", type: "checkbox", required: true });
  const form = make(
    "form.card.sign",
    { submit: (event) => (event.preventDefault(), enter()) },
    make("p.hint", { id: "token-hint" }, "A token is what ", make("code", "ticketd token"), " prints, or what your login gives you."),
    make("label", { for: "token" }, "Token"),
    token,
    make("p.wrong", { id: "token-why", role: "alert" }, why ?? ""),
    make("label.check", stay, "Stay signed in, in this tab, until it is closed"),
    overheard && make("div.notice", { id: "overheard" }, make("p", WARNING), make("label.check", risk, "Send it all the same")),
    make("p", make("button.main", "Sign in")),
  );
  function enter() {
    who.is(token.value.trim(), stay.checked);
    token.value = "";
    done();
  }
  main.append(make("h1", "Who are you?"), form);
  token.focus();
}
