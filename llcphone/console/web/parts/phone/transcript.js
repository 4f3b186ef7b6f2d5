// The words of a call, as they were heard. What waits to be heard is pale; what was cut off is struck out.

import { inOrder } from "../../conversation.js";
import { html, useEffect, useRef } from "../../dom.js";
import { ms } from "../../format.js";
import * as text from "../../text.js";

const words = text.phone;

export function Transcript({ entries, events, isOver, scripted, transcribed, empty }) {
  const all = inOrder(
    entries,
    events.map(({ at, text: said }, id) => ({ kind: "network", id, at, text: said })),
  );
  const lastAgent = entries.findLast(({ kind, by }) => kind === "words" && by === "agent");
  const box = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const scrolled = ({ target }) => (atEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 40);
  return html`<section class="panel transcript" aria-label=${words.transcript}>
    <h2>${words.transcript}</h2>
    <div class="transcript-lines" ref=${box} onScroll=${scrolled} tabindex="0">
      ${all.length === 0 && html`<p class="soft">${empty}</p>`}
      <ol>
        ${all.map(
          (entry) => html`<li key="${entry.kind}-${entry.id}" class="said ${entry.kind} ${entry.by ?? ""}">
            <${Entry} entry=${entry} isOver=${isOver} scripted=${scripted} transcribed=${transcribed} />
          </li>`,
        )}
      </ol>
    </div>
    <${Announcer} entry=${lastAgent} />
  </section>`;
}

function Entry({ entry, isOver, scripted, transcribed }) {
  if (entry.kind === "network") return html`<b>${words.network}</b> <span class="soft">${entry.text}</span>`;
  if (entry.kind === "tool") {
    const took = entry.took_ms === undefined ? words.toolRuns : (entry.ok ? words.toolDone : words.toolFailed)(ms(entry.took_ms));
    return html`<b>${words.tool}</b> <span><span class="mono">${entry.name}</span> <span class="soft">${took}</span></span>`;
  }
  if (entry.text === "" && entry.by === "caller") {
    return html`<b>${words.by.caller}</b> ${transcribed ? "…" : html`<span class="soft" title=${words.notTranscribedWhy}>${words.notTranscribed}</span>`}`;
  }
  const heard = entry.by === "caller" ? entry.text.length : entry.heard;
  const rest = entry.text.slice(heard);
  return html`<b>${words.by[entry.by]}</b>
    <span dir="auto">
      ${entry.text.slice(0, heard)}${rest &&
      (entry.cut || isOver
        ? html`<s title=${words.cutOff}>${rest}</s>`
        : html`<span class="pending" title=${words.notHeard}>${rest}</span>`)}
      ${scripted && entry.by === "caller" && html` <small class="chip">${words.scripted}</small>`}
    </span>`;
}

// Reads each new line of the agent aloud once, never its parts.
function Announcer({ entry }) {
  const whole = entry?.text && entry.heard >= entry.text.length ? entry.text : "";
  return html`<p class="visually-hidden" role="log" aria-live="polite">${whole && `${words.by.agent}: ${whole}`}</p>`;
}
