// Requests of the console's port. The token is this origin's alone; no cookie is involved.

import { signal } from "./dom.js";

export const TOKEN = "llcphone.token";

// Who one is here: {act, phone, mode, words, numbers, audio}; null: signed out; undefined: not known yet.
export const session = signal(undefined);

// A request was refused, or found nobody (status 0). `code` is what programs go by.
export class Problem extends Error {
  constructor(status, { code = "", title = "", detail = "", fix = "" } = {}) {
    super(sentence(detail || title || `HTTP ${status}`));
    Object.assign(this, { status, code, fix: fix && closed(fix) });
  }
}

// The server's texts stand in the middle of lines elsewhere; here each is a sentence.
export const sentence = (text) => closed(text.charAt(0).toUpperCase() + text.slice(1));
const closed = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);

export const get = async (path) => (await ask("GET", path)).json();
export const blob = async (path) => (await ask("GET", path)).blob();
export const postForBlob = async (path, body) => (await ask("POST", path, body)).blob();
export const post = async (path, body = {}, headers = {}) => (await ask("POST", path, body, headers)).json();

// A post that must not happen twice, however often it is sent.
export const act = (path, body = {}, key = newKey()) => post(path, body, { "Idempotency-Key": key });

export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Where one WebSocket of this kind ("live" or "line") may be opened, once and soon.
export async function socketUrl(kind) {
  const { ticket } = await post("/api/ticket", { for: kind });
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/${kind}/${ticket}`;
}

// Sign in by a link or its code.
export async function enter(code) {
  const { token, ...said } = await post("/api/in", { code });
  localStorage.setItem(TOKEN, token);
  session.value = said;
}

// Whether this browser has signed in, perhaps at a server that is gone.
export const hasToken = () => localStorage.getItem(TOKEN) !== null;

export function signOut() {
  localStorage.removeItem(TOKEN);
  session.value = null;
}

async function ask(method, path, body, headers = {}) {
  const token = localStorage.getItem(TOKEN);
  const sent = {
    method,
    headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
    ...(method === "POST" && { body: JSON.stringify(body) }),
  };
  if (method === "POST") sent.headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, sent);
  } catch (error) {
    throw new Problem(0, { code: "unreachable", detail: "The server cannot be reached.", fix: error.message });
  }
  if (answer.ok) return answer;
  const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
  if (problem.status === 401 && localStorage.getItem(TOKEN) === token) signOut(); // not if another tab has a new one
  throw problem;
}
