// What is said in one call, as the live socket tells it.

import { batch, signal } from "./dom.js";
import { watch } from "./store.js";

// Follows a call. Its signals: `entries` in the order of the call ({kind: "words", id, by, text, heard} or
// {kind: "tool", id, name, took_ms, ok}), `turns`, `floor`. `stop` ends it.
export function follow(call) {
  const entries = signal([]);
  const turns = signal([]);
  const floor = signal("nobody");

  function put(entry) {
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
      const others = turns.peek().filter(({ index }) => index !== said.turn.index);
      turns.value = [...others, { seen: Date.now(), ...said.turn }].sort((a, b) => a.index - b.index);
    } else if (kind === "floor") {
      floor.value = fields.floor;
    } else if (kind === "tool") {
      put({ kind: "tool", id: fields.call_id, name: fields.name, at_ms });
    } else if (kind === "tool done") {
      put({ kind: "tool", id: fields.call_id, ok: fields.ok, took_ms: fields.took_ms });
    }
  }

  const stop = watch(call, { words: true }, (message) => batch(() => take(message)));
  return { entries, turns, floor, stop };
}

export const NO_CONVERSATION = { entries: signal([]), turns: signal([]), floor: signal(""), stop() {} };

// When the call began, on this computer's clock. What is seen late says later, so the least is nearest.
export const bornAt = (entries) => Math.min(...entries.map(({ seen, at_ms: at = 0 }) => seen - at));

// These entries and what else happened ({at}: a time of this computer), as they followed each other.
export function inOrder(entries, others) {
  const born = bornAt(entries);
  const all = entries.map((entry) => [born + (entry.at_ms ?? entry.seen - born), entry]);
  all.push(...others.map((other) => [other.at, other]));
  return all.sort(([a], [b]) => a - b).map(([, entry]) => entry);
}
