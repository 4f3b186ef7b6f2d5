// The telephone itself: who, how long, both levels, the buttons.

import { html, useEffect, useState } from "../../dom.js";
import { clock } from "../../format.js";
import { registerKeys } from "../../keys.js";
import { now } from "../../store.js";
import * as text from "../../text.js";
import { Meter } from "../kit.js";

const words = text.phone;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ", 0: "+" };
const FLOOR_DB = 60;

// A level of 0 to 1 as a share of 60 dB.
const share = (level) => Math.max(0, 1 + (20 * Math.log10(level + 1e-6)) / FLOOR_DB);

// Why the call ended: as the network saw it, or where that is vague, as the call's record says.
const VAGUE = ["no more TwiML", "completed by REST"];
const whyOver = (why, reason) => {
  const said = (VAGUE.includes(why) && reason) || why;
  return words.why[said] ?? said;
};

export function Handset({ line, title, floor, reason = "", children }) {
  const [keypad, setKeypad] = useState(false);
  const state = line.state.value;
  const connected = state === "connected";
  const id = `keypad-${line.ready.value?.line}`;
  const { from, to } = line.numbers.value;
  useEffect(() => {
    const keys = Object.fromEntries(KEYS.map((key) => [key, () => press(line, key)]));
    return registerKeys({ ...keys, m: () => (line.state.value === "connected" ? line.mute(!line.muted.value) : false) });
  }, [line]);
  const seconds = connected ? (now.value - line.since.value) / 1000 : line.lasted.value;
  return html`<section class="panel handset" aria-label=${title}>
    <div class="handset-face">
      <h2>${title}</h2>
      <p class="soft">${line.ready.value && `${words.from(from)} ${words.to(to)}`}</p>
      <p class="timer num ${connected ? "" : "soft"}" aria-hidden=${!connected}>${clock(seconds)}</p>
      <p role="status" class="handset-state ${state}">
        ${line.conference.value === "waiting" ? words.state.waiting : words.state[state]}
        ${state === "over" && line.why.value && html`: ${whyOver(line.why.value, reason)}`}
      </p>
      <p class="floor ${connected ? floor : ""}">${(connected && words.floor[floor]) || "\u00a0"}</p>
    </div>
    <div class="meters">
      <${Meter} label=${words.mic} kind="caller" value=${share(line.levels.value.mouth)} />
      <${Meter} label=${words.ear} kind="agent" value=${share(line.levels.value.ear)} />
    </div>
    <${Question} line=${line} />
    <div class="handset-buttons">
      ${line.busy.value
        ? html`<button type="button" class="button danger big" onClick=${() => line.hangUp()}>${words.hangUp}</button>`
        : state !== "incoming" &&
          html`<button
            type="button"
            class="button main big"
            disabled=${!["idle", "over"].includes(state)}
            onClick=${() => line.dial()}
          >${state === "over" ? words.callAgain : words.call}</button>`}
      <button
        type="button"
        class="button"
        disabled=${!connected}
        aria-pressed=${line.muted.value}
        onClick=${() => line.mute(!line.muted.value)}
      >${line.muted.value ? words.unmute : words.mute}</button>
      <button
        type="button"
        class="button"
        aria-expanded=${keypad}
        aria-controls=${id}
        onClick=${() => setKeypad(!keypad)}
      >${words.keypad}</button>
    </div>
    ${keypad && html`<${Keypad} id=${id} line=${line} />`}
    ${children}
  </section>`;
}

function press(line, key) {
  if (line.state.value !== "connected") return false;
  line.press(key);
  return true;
}

function Keypad({ id, line }) {
  const connected = line.state.value === "connected";
  return html`<div id=${id} class="keypad">
    <output class="mono" aria-live="off">${line.pressed.value || "\u00a0"}</output>
    ${KEYS.map(
      (key) => html`<button
        key=${key}
        type="button"
        class="button"
        disabled=${!connected}
        onClick=${() => press(line, key)}
      >${key}<small class="soft" aria-hidden="true">${LETTERS[key] ?? ""}</small></button>`,
    )}
  </div>`;
}

// Something rings, and the person decides.
function Question({ line }) {
  const question = line.question.value;
  if (!question) return null;
  const { what, name, to, choices } = question;
  if (what === "ring") {
    return html`<div class="question" role="alertdialog" aria-label=${words.state.incoming}>
      <strong>${words.state.incoming}</strong>
      <div class="row">
        <button type="button" class="button main" onClick=${() => line.answer("accept")}>${words.accept}</button>
        <button type="button" class="button" onClick=${() => line.answer("decline")}>${words.decline}</button>
        <button type="button" class="button" title=${words.machineWhy} onClick=${() => line.answer("machine")}>
          ${words.machine}
        </button>
      </div>
    </div>`;
  }
  const talks = choices.includes("over");
  return html`<div class="question" role="group" aria-label=${words.dialAsk(name || to)}>
    ${talks ? words.dialTalk(name || to) : words.dialAsk(name || to)}
    <div class="row">
      ${choices.map(
        (choice) =>
          html`<button key=${choice} type="button" class="button" onClick=${() => line.answer(choice)}>
            ${words.dial[choice]}
          </button>`,
      )}
    </div>
  </div>`;
}
