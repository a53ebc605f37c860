// Elements, and text that comes from strangers.

/**
 * What cannot be seen, or changes how its neighbours look: controls, bidi and zero-width characters, blanks other than
 * one space between words, and a mark that has nothing to stand on.
 */
const HIDDEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u2800]|^\p{M}|^ | $| (?= )/gu;

/**
 * An element. @param {string} what Its name, and classes: `p.notice`. @param {unknown[]} parts Attributes as an object,
 * children; what is null or false is passed over.
 */
export function make(what, ...parts) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const part of parts) {
    if (part === null || part === undefined || part === false) continue;
    if (typeof part === "object" && !(part instanceof Node)) set(element, part);
    else element.append(part);
  }
  return element;
}

/** Attributes; listeners where the value is a function. */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
}

/** A stranger's text, as what it is: never markup, alone in its direction, nothing hidden. */
export function written(text) {
  const bdi = make("bdi");
  let at = 0;
  for (const { 0: found, index } of String(text).matchAll(HIDDEN)) {
    const escape = `\\u{${found.codePointAt(0).toString(16)}}`;
    bdi.append(text.slice(at, index), make("span.escape", escape));
    at = index + found.length;
  }
  bdi.append(String(text).slice(at));
  return bdi;
}

/** The same where there are no elements: in titles and labels. */
export const plain = (text) =>
  String(text).replace(HIDDEN, (found) => `\\u{${found.codePointAt(0).toString(16)}}`);

/** Writes only what has changed, lest a screen reader say it again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts other children there, unless they would look the same. */
export function replace(element, ...children) {
  const next = make("div", ...children);
  const same = next.childNodes.length === element.childNodes.length;
  if (!same || [...next.childNodes].some((node, n) => !node.isEqualNode(element.childNodes[n]))) {
    element.replaceChildren(...next.childNodes);
  }
}

/**
 * The children of a list as they are now: those whose key is there already stay, with focus and all.
 * @template T @param {Element} list @param {T[]} items @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} draw A new one. @param {(element: any, item: T) => void} update
 */
export function keep(list, items, key, draw, update) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let before = list.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = old.get(name);
    old.delete(name);
    if (!element) {
      element = draw(item);
      element.dataset.key = name;
    }
    update(element, item);
    if (element === before) before = before.nextElementSibling;
    else list.insertBefore(element, before);
  }
  for (const gone of old.values()) {
    const focused = gone.contains(document.activeElement);
    gone.remove();
    if (focused) document.getElementById("main").focus({ preventScroll: true });
  }
}

/** Tells what has been done, once. */
export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => (told.textContent = ""), 8000);
}

const numbers = new Intl.NumberFormat("en");
export const number = (value) => numbers.format(value).replaceAll(",", "\u202f");
export const several = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${value >= 100 || !at ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/** A length of time, as short as it says enough. @param {number} ms */
export function length(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** A moment of the last hours by its time, an older one with its day. @param {number} at In ms since 1970. */
export function moment(at) {
  const date = new Date(at);
  const far = Math.abs(Date.now() - at) > 12 * 3600_000;
  return far ? date.toLocaleString() : date.toLocaleTimeString();
}
