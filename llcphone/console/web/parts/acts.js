// What can be done with a live call. Each click has a key of its own, so that no act happens twice.

import { act, newKey } from "../api.js";
import { html, useRef, useState } from "../dom.js";
import { call as text } from "../text.js";
import { Dialog, ProblemNotice } from "./kit.js";

// Sends one act; a second click while it is under way, or a retry after it was not answered, is the same act.
export function useAct(path, onDone = () => {}) {
  const [state, setState] = useState({ busy: false, problem: null, done: false });
  const key = useRef(null);
  const send = async (body = {}) => {
    if (state.busy) return false;
    key.current ??= newKey();
    setState({ busy: true, problem: null, done: false });
    try {
      const answer = await act(path, body, key.current);
      key.current = null;
      setState({ busy: false, problem: null, done: true });
      onDone(answer);
      return answer;
    } catch (problem) {
      if (problem.status !== 0) key.current = null; // it was answered: the next click is another act
      setState({ busy: false, problem, done: false });
      return false;
    }
  };
  return { ...state, send, clear: () => setState({ busy: false, problem: null, done: false }) };
}

const pathOf = (call, what) => `/api/calls/${encodeURIComponent(call)}/${what}`;

export function Acts({ call, transfers, onActed }) {
  const [asked, ask] = useState("");
  const close = () => ask("");
  const acts = ["say", "tell", ...(transfers.length ? ["transfer"] : []), "digits"];
  const talks = call.state === "talking";
  return html`<div class="row acts" role="group" aria-label=${text.actsLabel}>
    ${talks && acts.map((what) => html`<button key=${what} type="button" class="button" onClick=${() => ask(what)}>${text.act[what].button}</button>`)}
    <button type="button" class="button danger" onClick=${() => ask("hangup")}>${text.act.hangup.button}</button>
    <button type="button" class="button end" onClick=${() => ask("end")}>${text.act.end.button}</button>
    ${[...acts, "hangup", "end"].map(
      (what) => html`<${ActDialog} key=${what} what=${what} call=${call.id} transfers=${transfers} open=${asked === what} onClose=${close} onDone=${onActed} />`,
    )}
  </div>`;
}

export function HangUp({ call, label, who }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="button end" aria-label=${text.endCallOf(who)} onClick=${() => setOpen(true)}>${label}</button>
    <${ActDialog} what="hangup" call=${call} open=${open} onClose=${() => setOpen(false)} />`;
}

const BODY = {
  hangup: () => ({}),
  end: () => ({}),
  say: (value) => ({ text: value }),
  tell: (value) => ({ text: value }),
  transfer: (value) => ({ to: value }),
  digits: (value) => ({ digits: value }),
};

function ActDialog({ what, call, transfers = [], open, onClose, onDone }) {
  const words = text.act[what];
  const [value, setValue] = useState("");
  const { busy, problem, send, clear } = useAct(pathOf(call, what), onDone);
  const chosen = value || (what === "transfer" ? transfers[0] ?? "" : "");
  const close = () => {
    clear();
    onClose();
  };
  const submit = async (event) => {
    event.preventDefault();
    if ((await send(BODY[what](chosen))) === false) return;
    setValue("");
    close();
  };
  return html`<${Dialog} open=${open} title=${words.title} onClose=${close}>
    <form class="stack" onSubmit=${submit}>
      <p>${words.why}</p>
      ${(what === "say" || what === "tell") && html`<label class="stack">${words.label}<textarea rows="3" maxlength="2000" required autofocus value=${value} onInput=${(event) => setValue(event.target.value)}></textarea></label>`}
      ${what === "digits" && html`<label class="stack">${words.label}<input inputmode="tel" pattern="[0-9*#wWA-D]{1,64}" required autofocus autocomplete="off" value=${value} onInput=${(event) => setValue(event.target.value)} /></label>`}
      ${what === "transfer" && html`<label class="stack">${words.label}<select autofocus value=${chosen} onChange=${(event) => setValue(event.target.value)}>${transfers.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>`}
      <${ProblemNotice} problem=${problem} />
      <div class="row"><button class="button main ${what === "hangup" || what === "end" ? "danger" : ""}" disabled=${busy}>${words.button.replace(" …", "")}</button><button type="button" class="button quiet" autofocus=${what === "hangup" || what === "end"} onClick=${close}>${text.cancel}</button></div>
    </form>
  <//>`;
}

// Tools of a call that wait for a person's word.
export function Approvals({ call, approvals }) {
  return html`${approvals.map((approval) => html`<${Approval} key=${approval.id} call=${call} approval=${approval} />`)}`;
}

export function Approval({ call, approval }) {
  const [refusing, setRefusing] = useState(false);
  const [why, setWhy] = useState("");
  const { busy, done, problem, send } = useAct(pathOf(call, "approve"));
  const answer = (allow) => send({ approval: approval.id, allow, ...(allow ? {} : { why }) });
  const refuse = (event) => {
    event.preventDefault();
    answer(false);
  };
  return html`<div class="notice warn approval" role="status">
    <div class="row">
      <span class="grow"><strong>${text.asks}</strong> <span dir="auto">${approval.text}</span></span>
      ${!done &&
      html`<button type="button" class="button main" disabled=${busy} onClick=${() => answer(true)}>${text.allow}</button>
        <button type="button" class="button" disabled=${busy} aria-expanded=${refusing} onClick=${() => setRefusing(!refusing)}>${text.refuse}</button>`}
    </div>
    ${refusing && !done &&
    html`<form class="row" onSubmit=${refuse}>
      <label class="grow stack">${text.refuseWhy}<input maxlength="500" value=${why} onInput=${(event) => setWhy(event.target.value)} /></label>
      <button class="button" disabled=${busy}>${text.refuseIt}</button>
    </form>`}
    <${ProblemNotice} problem=${problem} />
  </div>`;
}
