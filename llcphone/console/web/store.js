// What every page sees: the server's state, kept up to date by the live socket.
//
// After each (re)connection the snapshot is fetched, and then only events with a higher `seq` are applied. Where
// no WebSocket comes through, the snapshot is fetched every five seconds instead, and the head of the page says so.

import { Problem, get, session, socketUrl } from "./api.js";
import { batch, effect, signal } from "./dom.js";

export const snapshot = signal(null);
export const rows = signal(new Map());
export const health = signal(null);
// state: connecting | live | retrying | polling | off (there is none here) | out (signed out)
export const connection = signal({ state: "connecting", since: Date.now() });
export const now = signal(Date.now());
export const route = signal(readRoute());

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const POLL_MS = 5_000;
const FAILURES = 3; // connections that never opened before it is polled

let socket = null;
let failures = 0; // in a row, that never opened
let attempts = 0; // in a row, without an event
let timer = 0;
let early = []; // events that came before the snapshot
const watchers = new Map(); // call -> Set of {words, onMessage}

setInterval(() => (now.value = Date.now()), 1000);
addEventListener("hashchange", () => (route.value = readRoute()));
effect(() => {
  if (session.value === null) socket?.close();
});

export function go(hash) {
  location.hash = hash;
}

function readRoute() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  return { page: page || "", id: decode(rest.join("/")), query: new URLSearchParams(query) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // as it was typed
  }
}

// Follow one call: `onMessage` gets its `note`, `heard` and `turn` messages. Returns what ends it.
export function watch(call, { words = false } = {}, onMessage = () => {}) {
  const watcher = { words, onMessage };
  if (!watchers.has(call)) watchers.set(call, new Set());
  watchers.get(call).add(watcher);
  sendWatch(call);
  return () => {
    const all = watchers.get(call);
    all?.delete(watcher);
    if (all?.size === 0) {
      watchers.delete(call);
      tell({ event: "unwatch", call });
    }
  };
}

function sendWatch(call) {
  tell({ event: "watch", call, words: [...watchers.get(call)].some(({ words }) => words) });
}

function tell(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Fetch the state now; `rows` and `health` follow it.
export async function refresh() {
  const state = await get("/api/state");
  batch(() => {
    snapshot.value = state;
    if (state.calls) rows.value = new Map(state.calls.map(seen));
    health.value = state.health;
    session.value = { ...session.value, ...pick(state, "act", "phone", "mode", "words", "numbers", "audio") };
  });
  return state;
}

const pick = (from, ...names) => Object.fromEntries(names.map((name) => [name, from[name]]));

function show(state) {
  if (connection.value.state !== state) connection.value = { state, since: Date.now() };
}

// Connect, and stay connected until signed out.
export async function connect() {
  clearTimeout(timer);
  if (!snapshot.value.live) return poll("off");
  let opened = false;
  try {
    socket = new WebSocket(await socketUrl("live"));
  } catch (problem) {
    failed(problem);
    return;
  }
  const mine = socket;
  early = [];
  mine.onmessage = ({ data }) => take(JSON.parse(data));
  mine.onopen = async () => {
    opened = true;
    failures = 0;
    for (const call of watchers.keys()) sendWatch(call);
    try {
      const state = await refresh();
      for (const event of early.filter(({ seq = Infinity }) => seq > (state.seq ?? 0))) apply(event);
      early = null;
      attempts = 0;
      show("live");
    } catch (problem) {
      if (problem instanceof Problem) mine.close();
      else throw problem;
    }
  };
  mine.onclose = () => {
    if (!opened) failures++;
    failed(null);
  };
}

function failed(problem) {
  if (session.value === null) return show("out");
  if (problem === null && failures >= FAILURES) return poll("polling");
  show("retrying");
  const wait = Math.min(FIRST_RETRY_MS * 2 ** attempts++, LAST_RETRY_MS);
  timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
}

// Without a socket the state is fetched now and then; each time a socket is tried, too.
async function poll(state) {
  try {
    await refresh();
    show(state);
  } catch {
    show(session.value === null ? "out" : "retrying");
  }
  if (session.value !== null) timer = setTimeout(connect, POLL_MS);
}

function take(message) {
  if (["note", "heard", "turn"].includes(message.event)) {
    for (const { onMessage } of watchers.get(message.call) ?? []) onMessage(message);
  } else if (early !== null) {
    early.push(message);
  } else {
    attempts = 0;
    apply(message);
  }
}

// A row says how long ago something began: from when it came the clock of this page goes on.
const seen = (row) => [row.id, { ...row, seenAt: Date.now() }];

function apply({ event, whole, set = [], gone = [], ...said }) {
  if (event === "rows") {
    const next = new Map(whole ? [] : rows.value);
    for (const [id, row] of set.map(seen)) next.set(id, row);
    for (const id of gone) next.delete(id);
    rows.value = next;
  } else if (event === "health") {
    health.value = said.health;
  }
}
