// What goes on only while the page is seen.

/** Resolves when it is; rejects when it is no longer wanted. @param {AbortSignal} signal */
export async function seen(signal) {
  while (document.hidden) {
    await new Promise((resolve) => {
      const done = () => {
        document.removeEventListener("visibilitychange", done);
        signal.removeEventListener("abort", done);
        resolve(undefined);
      };
      document.addEventListener("visibilitychange", done);
      signal.addEventListener("abort", done);
    });
    signal.throwIfAborted();
  }
  signal.throwIfAborted();
}

/** @param {number} ms @param {AbortSignal} signal */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve(undefined);
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Does that again and again while the page is seen, until it is no longer wanted.
 * @param {number} ms @param {AbortSignal} signal @param {() => Promise<unknown>} run Its errors are its own.
 */
export async function every(ms, signal, run) {
  try {
    for (;;) {
      await seen(signal);
      await run();
      await pause(ms, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
