// A TCP proxy that misbehaves as networks do: cuts, refuses, goes silent in one direction or both, is slow.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** In front of a server. Its `url` is what clients connect to. */
export const proxy = async (server) => {
  /** `deaf`: what clients say is lost; `mute`: what the server says is lost. Nobody is told of either. */
  let mode = { refuse: false, deaf: false, mute: false, delay: 0 };
  const lines = new Set();

  const listener = createServer((near) => {
    if (mode.refuse) return near.resetAndDestroy();
    const far = connect(server.port, "127.0.0.1");
    // Node never lets go of a socket that is reset before it is connected, or after it has ended.
    const end = (socket) =>
      socket.destroyed ||
      (socket.connecting || socket.writableEnded ? socket.destroy() : socket.resetAndDestroy());
    const line = { near, far, cut: () => [near, far].forEach(end) };
    lines.add(line);
    const forward = (from, to, lost) => {
      // What is slow keeps its order.
      let last = Promise.resolve();
      const later = (what) => {
        const due = mode.delay;
        last = last.then(() => due && new Promise((resolve) => setTimeout(resolve, due))).then(what);
      };
      from.on("data", (bytes) => later(() => mode[lost] || to.destroyed || to.write(bytes)));
      from.on("end", () => later(() => mode[lost] || to.end()));
      // On a line that is silent, nobody hears of the other's end.
      from.on("close", () => later(() => mode[lost] || to.destroy()));
      from.on("error", () => {});
      from.on("close", () => to.destroyed && lines.delete(line));
    };
    near.setNoDelay();
    far.setNoDelay();
    forward(near, far, "deaf");
    forward(far, near, "mute");
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    lines,
    /** Some of: refuse, deaf, mute, delay. */
    set: (now) => (mode = { ...mode, ...now }),
    /** All is well from now on. Lines that were silent have lost what was said on them: they are cut. */
    mend() {
      if (mode.deaf || mode.mute) this.cut();
      mode = { refuse: false, deaf: false, mute: false, delay: 0 };
    },
    cut: () => lines.forEach((line) => line.cut()),
    async close() {
      listener.close();
      lines.forEach((line) => line.cut());
    },
  };
};
