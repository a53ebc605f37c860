// Ports that nobody has.

import { once } from "node:events";
import { createServer } from "node:net";

/** Nothing listens there. */
export const closedPort = async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
};
