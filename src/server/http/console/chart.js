// Small charts: how a figure was in the last ten minutes.

import { length, make, write } from "./dom.js";
import { SPAN_MS } from "./figures.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 60;
/** A longer time without a figure is a gap, in ms. */
const GAP_MS = 7000;
/** What is drawn at least, while not much is known, in ms. */
const SHORTEST_MS = 60_000;

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** The parts of a line, each without a gap. @param {{ at: number, value: number }[]} points */
function* parts(points) {
  let part = [];
  for (const point of points) {
    if (part.length && point.at - part.at(-1).at > GAP_MS) {
      yield part;
      part = [];
    }
    part.push(point);
  }
  if (part.length) yield part;
}

/**
 * @param {string} title @param {(value: number) => string} say A value in words.
 * @returns An element, and `show`, which draws points that have a time and a value.
 */
export function chart(title, say) {
  const line = shape("path", { class: "line" });
  const area = shape("path", { class: "area" });
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  svg.append(area, line);
  const value = make("b", "–");
  const range = make("small", "\u00a0");
  const element = make("li.chart", make("h2", title), value, svg, range);

  const show = (points) => {
    const now = Date.now();
    const shown = points.filter((point) => point.value !== undefined && point.at > now - SPAN_MS);
    if (!shown.length) return svg.setAttribute("aria-label", `${title}: nothing is known yet`);
    const values = shown.map((point) => point.value);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const span = Math.max(SHORTEST_MS, now - shown[0].at);
    const x = ({ at }) => (WIDTH * (1 - (now - at) / span)).toFixed(1);
    const y = ({ value }) => (HEIGHT - 2 - (HEIGHT - 4) * (most ? value / most : 0)).toFixed(1);
    const drawn = [...parts(shown)].map((part) => ({ part, line: part.map((point) => `${x(point)} ${y(point)}`).join("L") }));
    line.setAttribute("d", drawn.map(({ line }) => `M${line}`).join(""));
    area.setAttribute(
      "d",
      drawn.map(({ part, line }) => `M${x(part[0])} ${HEIGHT}L${line}L${x(part.at(-1))} ${HEIGHT}Z`).join(""),
    );
    write(value, say(values.at(-1)));
    const bounds = say(least) === say(most) ? "steady" : `from ${say(least)} to ${say(most)}`;
    write(range, `${bounds}, in ${length(now - shown[0].at)}`);
    svg.setAttribute("aria-label", `${title}: now ${say(values.at(-1))}, ${range.textContent}`);
  };
  return { element, show };
}
