// A clock that no sleep stops: it goes on with whichever of the two has gone further, the monotonic
// clock (which stands still while a laptop sleeps) or the wall clock (which may be set back).

/** The wall clock is believed when it is off by more than so many ms: less is rounding. */
const SLACK = 50;

/**
 * Never goes back.
 *
 * @param {() => number} [mono] @param {() => number} [wall] Both in ms.
 * @returns {() => number} Also in ms.
 */
export const clock = (mono = () => performance.now(), wall = Date.now) => {
  let offset = wall() - mono();
  let extra = 0;
  return () => {
    const now = mono();
    const jump = wall() - now - offset;
    if (Math.abs(jump) > SLACK) {
      offset += jump;
      if (jump > 0) extra += jump;
    }
    return now + extra;
  };
};
