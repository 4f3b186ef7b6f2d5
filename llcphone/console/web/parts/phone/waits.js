// How long the caller waited for each answer, and for what: one bar a turn, and the same as a sentence.

import { html } from "../../dom.js";
import { ms } from "../../format.js";
import * as text from "../../text.js";

const words = text.phone;
const SHOWN = 5;
const NEAR_MS = 1000; // between an answer as the record knows it and as the page heard it

export function Waits({ turns, gaps, born }) {
  const waited = turns.filter(({ ear_gap_ms: gap }) => gap !== null && gap !== undefined);
  const shown = waited.slice(-SHOWN);
  const longest = Math.max(1000, ...shown.map(({ ear_gap_ms: gap }) => gap));
  return html`<section class="panel stack" aria-label=${words.turns}>
    <h2>${words.turns}</h2>
    ${shown.length === 0 &&
    (gaps.length > 0
      ? gaps.slice(-SHOWN).map(({ at, ms: gap }) => html`<p key=${at} class="num">${words.mouthToEar(ms(gap))}</p>`)
      : html`<p class="soft">${words.turnsEmpty}</p>`)}
    <ol class="waits">
      ${shown.map(
        (turn) => html`<li key=${`${turn.run} ${turn.index}`}>
          <span>${words.turn(turn.index)}</span>
          <div class="bar" aria-hidden="true">
            ${Object.entries(turn.parts).map(
              ([part, took]) =>
                html`<span
                  key=${part}
                  class="part ${part}"
                  title="${words.parts[part] ?? part}: ${ms(took)}"
                  style=${{ width: `${(100 * took) / longest}%` }}
                ></span>`,
            )}
          </div>
          <${Sum} turn=${turn} gap=${gaps.find(({ at }) => Math.abs(born + turn.ear_ms - at) < NEAR_MS)} />
        </li>`,
      )}
    </ol>
    ${shown.length > 0 &&
    html`<ul class="legend soft">
      ${Object.entries(words.parts).map(([part, label]) => html`<li key=${part}><span class="part ${part}"></span>${label}</li>`)}
    </ul>`}
    ${gaps.length > 0 && html`<p class="soft">${shown.length > 0 && words.bars} ${words.mouthToEarWhy}</p>`}
  </section>`;
}

function Sum({ turn, gap }) {
  const part = words.parts[turn.longest] ?? turn.longest;
  return html`<span class="num">
    ${words.mostly(ms(turn.ear_gap_ms), part)}${gap && html` · <b>${words.mouthToEar(ms(gap.ms))}</b>`}
  </span>`;
}
