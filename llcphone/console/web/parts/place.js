// Place a call: who, by which agent, and what the guard says before anything is dialled.

import { post } from "../api.js";
import { html, signal, useEffect, useState } from "../dom.js";
import { go, snapshot } from "../store.js";
import { place as text } from "../text.js";
import { useAct } from "./acts.js";
import { Dialog, Notice, ProblemNotice } from "./kit.js";

const E164 = /^\+[1-9]\d{6,14}$/;
const NOTHING = { to: "", agent: "", context: "", caller_id: "" };
const CHECK_MS = 400;

const shown = signal(false);
export const openPlace = () => (shown.value = true);

export default function Place() {
  const open = shown.value;
  const [asked, setAsked] = useState(NOTHING);
  const [said, setSaid] = useState(null);
  const { busy, problem, send, clear } = useAct("/api/calls");
  const number = asked.to.replace(/[\s().-]/g, "");
  const body = { ...asked, to: number };
  const well = E164.test(number);

  useEffect(() => {
    setSaid(null);
    if (!open || !well) return undefined;
    let over = false;
    const timer = setTimeout(async () => {
      const answer = await post("/api/calls/check", body).catch((problem) => ({ problem }));
      if (!over) setSaid(answer);
    }, CHECK_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [open, well, number, asked.agent, asked.context, asked.caller_id]);

  const close = () => {
    clear();
    shown.value = false;
  };
  const submit = async (event) => {
    event.preventDefault();
    const call = await send(body);
    if (!call) return;
    setAsked({ ...asked, to: "", context: "" });
    close();
    go(snapshot.value.mode === "phone" ? "#/phone" : `#/live/${encodeURIComponent(call.id)}`);
  };
  const field = (name) => ({ value: asked[name], onInput: (event) => setAsked({ ...asked, [name]: event.target.value }) });
  const agents = snapshot.value?.agents ?? [];
  return html`<${Dialog} open=${open} title=${text.title} onClose=${close}>
    <form class="stack place" onSubmit=${submit}>
      ${snapshot.value?.mode === "phone" && html`<${Notice}>${text.ringsHere}<//>`}
      <div>
        <label class="stack">${text.number}<input type="tel" inputmode="tel" required autofocus autocomplete="off" placeholder="+15551230001" aria-invalid=${asked.to !== "" && !well} aria-describedby="place-number" ...${field("to")} /></label>
        <span id="place-number" class="soft">${asked.to !== "" && !well ? text.badNumber : text.numberFormat}</span>
      </div>
      <label class="stack">
        ${text.agent}
        <select ...${field("agent")}>
          <option value="">${text.usualAgent}</option>
          ${agents.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </select>
      </label>
      <label class="stack">${text.context}<textarea rows="3" maxlength="8000" ...${field("context")}></textarea></label>
      <details>
        <summary>${text.more}</summary>
        <label class="stack">${text.callerId}<input type="tel" autocomplete="off" aria-describedby="place-own" ...${field("caller_id")} /></label>
        <span id="place-own" class="soft">${text.callerIdWhy}</span>
      </details>
      <div aria-live="polite">
        ${well && said === null && html`<p class="soft">${text.checking}</p>`}
        <${ProblemNotice} problem=${said?.problem} />
        ${said !== null && !said.problem && (said.allowed ? html`<${Notice}>${text.allowed}<//>` : html`<${Notice} kind="warn"><strong>${text.refused(said.why)}</strong>${said.fix && html` <span>${text.fix(said.fix)}</span>`}<//>`)}
      </div>
      <${ProblemNotice} problem=${problem} />
      <p class="soft">${snapshot.value?.model?.kind === "real" ? text.costs : text.costsNothing}</p>
      <div class="row"><button class="button main" disabled=${busy || !well || said?.allowed === false}>${text.call}</button><button type="button" class="button quiet" onClick=${close}>${text.cancel}</button></div>
    </form>
  <//>`;
}
