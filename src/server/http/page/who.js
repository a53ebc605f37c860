// Who one is, where the server asks, and what a reload of the page keeps.

const $ = (id) => document.getElementById(id);

/** What a reload keeps, unless the browser was told to keep nothing. */
export function kept(what) {
  try {
    return sessionStorage[what];
  } catch {}
}

export function keep(what, value) {
  try {
    sessionStorage[what] = value;
  } catch {}
  return value;
}

/** Whoever sits there. */
export const who = {
  /** The token, once somebody has given one. */
  token: kept("token"),

  headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  },

  /** Whether a token is needed, or another one: that is asked of REST, which says so in one answer. */
  async asks() {
    const { status } = await fetch(new URL("api/v1/sessions/0", import.meta.url), { headers: this.headers() });
    return status === 401;
  },

  /** Waits for a token. @param {string} told What was wrong with the last one. */
  async ask(told) {
    $("who-told").textContent = told;
    $("who").hidden = false;
    $("token").focus();
    await new Promise((resolve) => {
      $("who").onsubmit = (event) => {
        event.preventDefault();
        resolve();
      };
    });
    this.token = keep("token", $("token").value.trim());
    $("token").value = "";
    $("who").hidden = true;
  },
};
