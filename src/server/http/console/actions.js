// What an operator can do. Each asks first and says to whom it happens; where the server takes a fence it is sent, so
// that whoever comes next is not hit.

import { act, segment } from "./api.js";
import { confirmed } from "./confirm.js";
import { plain, several, tell, written } from "./dom.js";

const GONE = "Nothing was done: that grant has ended already. Whoever has it now, has it by another fence.";
const OVER = { "not-holder": GONE, "not-locked": GONE, "resource-not-found": GONE, "ticket-not-found": GONE };

/** A holder in words: one that is lost has no name any more. @param {{ session: string | null, ref?: string }} holder */
export const named = ({ session, ref }) =>
  session === null ? "a session that is lost" : session === "" ? `a session without a name${ref ? `, ${ref}` : ""}` : session;

const holderOf = (holder) => (holder.session ? written(holder.session) : named(holder));

const about = (resource, holder) => [
  ["Resource", written(resource)],
  ...(holder.ticket === undefined ? [] : [["Ticket", written(holder.ticket)]]),
  ["Fence", String(holder.fence)],
  ["Holder", holderOf(holder)],
  ...(holder.ref ? [["Session", holder.ref]] : []),
];

/** Ends a hold of a lock, or a claim. @param {string} resource @param {any} holder As `look` tells it. */
export function force(resource, holder) {
  const { ticket, fence } = holder;
  const isLock = ticket === undefined;
  return confirmed({
    title: isLock ? "End this hold?" : "End this claim?",
    text: isLock
      ? "The holder is told, and whoever waits longest has the lock at once. Should the holder go on, only its fence keeps it out."
      : "The claimant is told, and the ticket is free for the next. Should the claimant go on, only its fence keeps it out.",
    facts: about(resource, holder),
    button: isLock ? "End the hold" : "End the claim",
    run: () => act("DELETE", `${isLock ? "locks" : "claims"}/${segment(resource)}`, { query: { force: true, name: ticket, fence } }),
    done: () => tell(`Ended: fence ${fence}, of ${plain(named(holder))}.`),
    refused: OVER,
  });
}

/** Runs something that REST asks a session for, with one that ends right after. */
async function withSession(run) {
  const id = await act("POST", "sessions", { query: { name: "console", ttl: 20_000 } });
  try {
    return await run({ "Ticketd-Session": id });
  } finally {
    // If it cannot be closed, it ends by its ttl; it holds nothing.
    await act("DELETE", `sessions/${id}`).catch(() => {});
  }
}

const UNCLAIMED = "Nobody has claimed it, so there is no fence to send: should somebody claim it before this arrives, it is taken from them.";

/** A ticket vanishes. @param {string} resource @param {any} ticket With a fence, if somebody has claimed it. */
export function revoke(resource, ticket) {
  const { fence } = ticket;
  const facts = fence ? about(resource, ticket) : [
    ["Resource", written(resource)],
    ["Ticket", written(ticket.ticket)],
    ["Fence", "none"],
    ["Holder", `nobody: it is ${ticket.state}`],
  ];
  return confirmed({
    title: "Revoke this ticket?",
    text: "It vanishes, with what it carries. If somebody has claimed it, they are told.",
    warning: fence ? undefined : UNCLAIMED,
    facts,
    button: "Revoke it",
    run: () => withSession((headers) => act("DELETE", `tickets/${segment(resource)}`, { query: { name: ticket.ticket, fence }, headers })),
    done: () => tell(`Revoked: ${plain(ticket.ticket)}.`),
    refused: { ...OVER, "ticket-not-found": "Nothing was done: there is no such ticket any more." },
  });
}

/** Who has it now, for what touches no grant. */
function standing({ holders, held, waiting }) {
  const [first] = holders;
  if (!first) return [["Holder", "nobody"], ["Waiting", String(waiting)]];
  const others = held > 1 ? [["Holders", `${several(held - 1, "other")} besides`]] : [];
  return [["Holder", holderOf(first)], ["Fence", String(first.fence)], ...others, ["Waiting", String(waiting)]];
}

/** @param {string} resource @param {any} state As `look` tells it. */
export function pause(resource, state) {
  const paused = !state.paused;
  return confirmed({
    title: paused ? "Pause this resource?" : "Let it go on?",
    text: paused
      ? "Nothing of it is granted until it goes on. Who holds something keeps it, and who waits keeps the place. It touches no grant, so no fence is sent."
      : "What is free is granted to those who wait, in their order. No fence is sent.",
    facts: [["Resource", written(resource)], ...standing(state)],
    button: paused ? "Pause it" : "Let it go on",
    run: () => act("PUT", `resources/${segment(resource)}`, { query: { paused } }),
    done: () => tell(paused ? "Paused." : "It goes on."),
  });
}

/** As many as the server revives at once. */
const BATCH = 1000;

async function reviveAll(resource) {
  let all = 0;
  for (;;) {
    const { revived } = await act("POST", `resources/${segment(resource)}/revive`);
    all += revived;
    if (revived < BATCH) return { revived: all };
  }
}

/** Dead tickets are free again. @param {string} resource @param {any} what A ticket, or how many are dead. */
export function revive(resource, what) {
  const one = typeof what === "object" ? what : undefined;
  return confirmed({
    title: one ? "Revive this ticket?" : "Revive all that are dead?",
    text: `${one ? "It is" : "They are"} tried again, with no attempt counted. What is dead has no holder, so no fence is sent.`,
    facts: [
      ["Resource", written(resource)],
      ...(one
        ? [["Ticket", written(one.ticket)], ...(one.note ? [["Note", written(one.note)]] : [])]
        : [["Dead", several(what, "ticket")]]),
      ["Fence", "none"],
      ["Holder", "nobody"],
    ],
    button: one ? "Revive it" : "Revive them",
    run: () => (one ? act("POST", `resources/${segment(resource)}/revive`, { query: { name: one.ticket } }) : reviveAll(resource)),
    done: ({ revived }) => tell(`Revived: ${several(revived, "ticket")}.`),
    refused: { "ticket-not-found": "Nothing was done: there is no such ticket any more, or none that is dead." },
  });
}

/** @param {any} session As the list has it. */
export function close(session) {
  return confirmed({
    title: "Close this session?",
    text: "It ends at once: it loses all that it holds, which passes on, and its places in queues; its tickets vanish, but for those that stay.",
    facts: [
      ["Session", session.name ? written(session.name) : "without a name"],
      ["Ref", session.ref],
      ["Holds", String(session.holds)],
      ["Waits", String(session.waits)],
      ["Issued", String(session.issued)],
    ],
    button: "Close it",
    run: () => act("DELETE", `sessions/${session.ref}`),
    done: () => tell(`Closed: ${session.ref}.`),
    refused: { "session-not-found": "Nothing was done: that session has ended already." },
  });
}
