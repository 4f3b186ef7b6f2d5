// What can go wrong on the way, to be tried out.

import { html, useState } from "../../dom.js";
import * as text from "../../text.js";

const words = text.phone.faults;
const DELAYS_MS = [0, 100, 300, 600, 1500];

export function Faults({ line, simulated }) {
  const [delay, setDelay] = useState(0);
  const connected = line.state.value === "connected";
  const stats = line.stats.value;
  const change = (event) => {
    setDelay(Number(event.target.value));
    line.send("fault", { what: "delay", ms: Number(event.target.value) });
  };
  return html`<details class="panel">
    <summary><h2>${words.title}</h2></summary>
    <div class="stack">
      <p class="soft">${words.why}</p>
      <div class="row wrap">
        <button
          type="button"
          class="button"
          disabled=${!connected}
          title=${words.dropStreamWhy}
          onClick=${() => line.send("fault", { what: "drop-stream" })}
        >${words.dropStream}</button>
        ${simulated &&
        html`<button
          type="button"
          class="button"
          disabled=${!connected}
          title=${words.loseModelWhy}
          onClick=${() => line.send("fault", { what: "lose-model" })}
        >${words.loseModel}</button>`}
        <label class="field">
          ${words.delay}
          <select value=${String(delay)} onChange=${change}>
            ${DELAYS_MS.map((value) => html`<option key=${value} value=${String(value)}>${value ? `${value} ms` : words.none}</option>`)}
          </select>
        </label>
      </div>
      ${stats &&
      html`<p class="soft num">
        ${words.stats(Math.round(stats.queued_ms), stats.underruns, Math.round(stats.out_latency_ms))}
      </p>`}
    </div>
  </details>`;
}
