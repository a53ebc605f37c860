// Who sits there: the token, in memory, and in the tab's own store only when that is wanted.

const KEY = "token";

/** The tab's store, unless the browser was told to keep nothing. */
function store() {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

/** @type {string | undefined} */
let token = store()?.getItem(KEY) ?? undefined;

export const who = {
  /** Whether somebody has signed in. */
  get known() {
    return token !== undefined;
  },

  headers() {
    return token === undefined ? {} : { Authorization: `Bearer ${token}` };
  },

  /** @param {string} given @param {boolean} stay Kept over a reload, until the tab is closed. */
  is(given, stay) {
    token = given;
    if (stay) store()?.setItem(KEY, given);
    else store()?.removeItem(KEY);
  },

  nobody() {
    token = undefined;
    store()?.removeItem(KEY);
  },
};

/** Whether what is sent can be overheard: not with TLS, nor on this machine. */
export const overheard = !globalThis.isSecureContext;
