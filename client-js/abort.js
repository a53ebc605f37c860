// Signals of others, listened to by many.

/** Of what nobody hears. */
export const never = () => {};

/**
 * One for each signal: a signal of our own that follows it, what is to be run, and what runs that.
 * @type {WeakMap<AbortSignal, [AbortSignal, Set<() => void>, () => void]>}
 */
const heard = new WeakMap();

/**
 * Runs that when the signal aborts, even if a listener of others stops the event: what depends on a signal is aborted
 * by the platform. One for all who listen: nothing is left behind by each of them, and Node does not warn of many.
 * @param {AbortSignal | undefined} signal @param {() => void} run @returns {() => void} Ends it.
 */
export const onAbort = (signal, run) => {
  if (!signal) return () => {};
  let entry = heard.get(signal);
  if (!entry) {
    const /** @type {Set<() => void>} */ all = new Set();
    heard.set(signal, (entry = [AbortSignal.any?.([signal]) ?? signal, all, () => all.forEach((run) => run())]));
  }
  const [own, all, runAll] = entry;
  all.add(run);
  own.addEventListener("abort", runAll);
  return () => {
    all.delete(run);
    if (!all.size) own.removeEventListener("abort", runAll);
  };
};
