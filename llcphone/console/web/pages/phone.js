// The telephone: call, speak, hear, see what was said and how long each answer took.

import { session } from "../api.js";
import { choose, conversation, current, lines, openLines } from "../audio/lines.js";
import { bornAt } from "../conversation.js";
import { html, useEffect } from "../dom.js";
import { Empty } from "../parts/kit.js";
import { Faults } from "../parts/phone/faults.js";
import { Handset } from "../parts/phone/handset.js";
import { Transcript } from "../parts/phone/transcript.js";
import { Cue, Voice } from "../parts/phone/voice.js";
import { Waits } from "../parts/phone/waits.js";
import { snapshot } from "../store.js";
import * as text from "../text.js";

const words = text.phone;

export default function Phone() {
  if (!session.value.phone) {
    return html`<${Empty} page title=${words.cannot}><p>${words.cannotFix}</p><//>`;
  }
  return html`<${Telephone} />`;
}

function Telephone() {
  useEffect(openLines, []);
  const [caller, colleague] = lines;
  const second = colleague.ready.value !== null && (colleague.busy.value || colleague.state.value === "incoming");
  const both = second && caller.busy.value && colleague.busy.value;
  const line = lines[current.value];
  const said = conversation.value;
  const [entries, turns, floor, reason] = [said.entries.value, said.turns.value, said.floor.value, said.reason.value];
  const { model, agents = [], words: mayRead } = snapshot.value ?? {};
  const simulated = model?.kind === "simulated";
  const empty = mayRead === "never" ? words.transcriptOff : agents.length ? words.transcriptEmpty : words.transcriptNone;
  return html`
    <div class="page-head">
      <h1 title=${agents[0]}>${agents[0] || words.title}</h1>
      ${agents.length > 0
        ? html`<span class="chip" title=${simulated ? words.simulatedWhy : words.realWhy}>
            ${simulated ? words.simulated : words.real(model.text)}
          </span>`
        : html`<span class="chip">${words.elsewhere(model?.text ?? "")}</span>`}
      ${simulated && html`<span class="soft">${words.simulatedWhy}</span>`}
    </div>
    <div class="phone">
      <div class="phone-left stack">
        ${second && html`<${OneOfTwo} key="2" index=${1} floor="" both=${both} />`}
        <${OneOfTwo} key="1" index=${0} floor=${floor} reason=${reason} both=${both} />
        <${Cue} line=${caller} cue=${nextCue(caller, entries)} />
        <${Voice} line=${line} />
      </div>
      <div class="phone-right stack">
        <${Transcript}
          entries=${entries}
          events=${caller.events.value}
          isOver=${!caller.busy.value}
          scripted=${simulated}
          transcribed=${snapshot.value?.transcribed}
          empty=${empty}
        />
        <${Waits} turns=${turns} gaps=${caller.gaps.value} born=${bornAt(entries)} />
        ${caller.call.value && !caller.busy.value &&
        html`<p><a class="button" href="#/calls/${caller.call.value}">${words.picture}</a></p>`}
        <${Faults} line=${line} simulated=${simulated} />
      </div>
    </div>`;
}

// A line. Where both hold a call, the microphone and the loudspeaker are for one of them.
function OneOfTwo({ index, floor, reason, both }) {
  const line = lines[index];
  const chosen = current.value === index;
  return html`<div class="telephone">
    <${Handset} line=${line} title=${words.line(line.ready.value?.line ?? index + 1)} floor=${floor} reason=${reason}>
      ${both &&
      html`<button type="button" class="button" aria-pressed=${chosen} onClick=${() => choose(index)}>
        ${chosen ? words.active : words.speakHere}
      </button>`}
    <//>
  </div>`;
}

// What the script hears next: a line of it for each turn of the caller. undefined: there is no script.
function nextCue(line, entries) {
  const cues = line.ready.value?.cues ?? [];
  if (cues.length === 0) return undefined;
  const heard = entries.filter(({ kind, by }) => kind === "words" && by === "caller").length;
  return cues[Math.max(line.said.value, heard, line.gaps.value.length)] ?? null;
}
