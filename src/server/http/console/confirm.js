// Asks before it is done: what, to whom, by which fence.

import { Refusal } from "./api.js";
import { make, write } from "./dom.js";

/**
 * @typedef {object} Question
 * @property {string} title @property {string} text What it does. @property {string} [warning]
 * @property {[string, string | Node][]} [facts] What it is about.
 * @property {string} button What is pressed to have it done.
 * @property {() => Promise<unknown>} run @property {(answer: any) => void} [done]
 * @property {Record<string, string>} [refused] What a refusal means here, by its code.
 */

/** Refusals that do not tell whether it was done. */
const PERHAPS = /^(unreachable|unavailable|internal)$/;

let last = 0;

/** Shows the question; resolves when it is answered, with whether it was done. @param {Question} question */
export function confirmed({ title, text, warning, facts = [], button, run, done = () => {}, refused = {} }) {
  const id = `question-${++last}`;
  const opener = document.activeElement;
  const why = make("p.wrong", { role: "alert" });
  const cancel = make("button", { type: "button", autofocus: true, click: () => dialog.close() }, "Cancel");
  const go = make("button.danger", button);
  const dialog = make(
    "dialog",
    { "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-text` },
    make("form", { submit: (event) => (event.preventDefault(), press()) },
      make("h2", { id: `${id}-title` }, title),
      make("p", { id: `${id}-text` }, text),
      facts.length > 0 && make("dl.facts", ...facts.map(([name, value]) => make("div", make("dt", name), make("dd", value)))),
      warning && make("p.notice", warning),
      why,
      make("p.row.end", cancel, go)),
  );
  let was = false;

  async function press() {
    if (go.getAttribute("aria-disabled")) return;
    go.setAttribute("aria-disabled", "true");
    write(why, "");
    try {
      const answer = await run();
      was = true;
      dialog.close();
      done(answer);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const perhaps = PERHAPS.test(error.code) ? " It may have been done or not." : "";
      write(why, `${refused[error.code] ?? error.words}${perhaps}`);
      // It can be tried again where that may help.
      if (refused[error.code] || error.status === 403) {
        go.hidden = true;
        write(cancel, "Close");
        cancel.focus();
      }
    }
    go.removeAttribute("aria-disabled");
  }

  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      // What was pressed may be gone with what it was about.
      if (opener?.isConnected && !opener.hidden) opener.focus();
      else document.getElementById("main").focus();
      resolve(was);
    });
  });
}
