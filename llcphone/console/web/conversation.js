// What is said in one call, as the live socket tells it.

import { batch, signal } from "./dom.js";
import { watch } from "./store.js";

// Follows a call. Its signals: `entries` in the order of the call ({kind: "words", id, by, text, heard} or
// {kind: "tool", id, name, took_ms, ok}), `turns`, `floor`, `reason` (why it ended). `stop` ends it.
// `before`: what was said before; not empty where the same telephone call continues, with an id of its own.
export function follow(call, before = NO_CONVERSATION) {
  const entries = signal(before.entries.peek());
  const turns = signal(before.turns.peek());
  const floor = signal("nobody");
  const reason = signal("");
  const run = before.run + 1;
  const shown = new Set(entries.peek().map(({ kind, id }) => `${kind} ${id}`));
  const laterMs = shown.size > 0 ? Date.now() - bornAt(entries.peek()) : 0; // times count from the first birth

  function put(entry) {
    if (shown.has(`${entry.kind} ${entry.id}`)) return; // the agent was told again what had been said
    if (entry.at_ms !== undefined) entry.at_ms += laterMs;
    const all = entries.peek();
    const at = all.findIndex(({ kind, id }) => kind === entry.kind && id === entry.id);
    if (at >= 0) entries.value = all.with(at, { ...all[at], ...entry });
    else entries.value = [...all, { seen: Date.now(), ...entry }];
  }

  function take({ event, kind, fields = {}, at_ms, ...said }) {
    if (event === "heard") {
      const { item, by, text, heard, cut } = said;
      put({ kind: "words", id: item, by, text, heard, cut, at_ms });
    } else if (event === "turn") {
      const turn = { seen: Date.now(), run, ...said.turn };
      if (turn.ear_ms !== null) turn.ear_ms += laterMs;
      const others = turns.peek().filter((other) => other.run !== run || other.index !== turn.index);
      turns.value = [...others, turn].sort((a, b) => a.run - b.run || a.index - b.index);
    } else if (kind === "floor") {
      floor.value = fields.floor;
    } else if (kind === "ended") {
      reason.value = fields.reason;
    } else if (kind === "tool") {
      put({ kind: "tool", id: fields.call_id, name: fields.name, at_ms });
    } else if (kind === "tool done") {
      put({ kind: "tool", id: fields.call_id, ok: fields.ok, took_ms: fields.took_ms });
    }
  }

  const stop = watch(call, { words: true }, (message) => batch(() => take(message)));
  return { entries, turns, floor, reason, run, stop };
}

export const NO_CONVERSATION = { entries: signal([]), turns: signal([]), floor: signal(""), reason: signal(""), run: 0, stop() {} };

// When the call began, on this computer's clock. What is seen late says later, so the least is nearest.
export const bornAt = (entries) => Math.min(...entries.map(({ seen, at_ms: at = 0 }) => seen - at));

// These entries and what else happened ({at}: a time of this computer), as they followed each other.
export function inOrder(entries, others) {
  const born = bornAt(entries);
  const all = entries.map((entry) => [born + (entry.at_ms ?? entry.seen - born), entry]);
  all.push(...others.map((other) => [other.at, other]));
  return all.sort(([a], [b]) => a - b).map(([, entry]) => entry);
}
