// Where the caller's voice comes from: a microphone, or without one.

import { LEAK_DB, checkSound } from "../../audio/check.js";
import {
  chooseOutput,
  chosen,
  devices,
  half,
  playFile,
  processing,
  source,
  stopFile,
  trouble,
} from "../../audio/sound.js";
import { html, useState } from "../../dom.js";
import { ms } from "../../format.js";
import * as text from "../../text.js";
import { Notice } from "../kit.js";

const words = text.phone.source;
const KINDS = ["microphone", "lines", "file", "text"];

export function Voice({ line }) {
  const choose = (kind) => {
    source.value = kind;
    trouble.value = ""; // of another source
    void line.changeSource();
  };
  const [problem, fix] = text.phone.trouble[trouble.value] ?? text.phone.trouble.other;
  const Panel = { microphone: Microphone, lines: Lines, file: File, text: Typed }[source.value];
  return html`<section class="panel stack" aria-label=${words.title}>
    <h2>${words.title}</h2>
    ${trouble.value && html`<${Notice} kind="bad"><strong>${problem}</strong> <span>${fix}</span><//>`}
    <div class="choices" role="radiogroup" aria-label=${words.title}>
      ${KINDS.map(
        (kind) => html`<label key=${kind}>
          <input type="radio" name="source" checked=${source.value === kind} onChange=${() => choose(kind)} />
          <span>${words[kind]}</span>
        </label>`,
      )}
    </div>
    <${Panel} line=${line} ready=${line.state.value === "connected"} />
  </section>`;
}

// What a script wants to hear next.
export function Cue({ line, cue }) {
  if (cue === undefined) return null;
  return html`<section class="panel cue" aria-label=${text.phone.cue}>
    ${cue === null
      ? html`<p class="soft">${text.phone.cuesDone}</p>`
      : html`<h2 class="soft">${text.phone.cue}</h2>
          <q>${cue.text}</q>
          ${(cue.wav || line.ready.value?.speak) &&
          html`<button
            type="button"
            class="button main"
            disabled=${line.state.value !== "connected"}
            onClick=${() => (cue.wav ? line.say(cue.wav) : line.speak(cue.text))}
          >${text.phone.cueSay}</button>`}`}
  </section>`;
}

function Microphone({ line }) {
  const { inputs, outputs } = devices.value;
  const reopen = () => void line.changeSource();
  return html`<${Check} busy=${line.busy.value} />
    <details>
      <summary>${words.devices}</summary>
      <div class="stack">
        ${inputs.length > 1 &&
        html`<${Device}
          label=${words.device}
          of=${inputs}
          value=${chosen.input.value}
          onChange=${(id) => {
            chosen.input.value = id;
            reopen();
          }}
        />`}
        ${outputs.length > 1 &&
        html`<${Device} label=${words.speaker} of=${outputs} value=${chosen.output.value} onChange=${chooseOutput} />`}
        <label class="row">
          <input
            type="checkbox"
            checked=${processing.value}
            onChange=${(event) => {
              processing.value = event.target.checked;
              reopen();
            }}
          />
          <span>${words.processing} <span class="soft">${words.processingWhy}</span></span>
        </label>
        <label class="row">
          <input type="checkbox" checked=${half.value} onChange=${(event) => (half.value = event.target.checked)} />
          <span>${words.half} <span class="soft">${words.halfWhy}</span></span>
        </label>
      </div>
    </details>`;
}

// Whether loudspeakers disturb the call.
function Check({ busy }) {
  const [found, setFound] = useState(undefined);
  const [runs, setRuns] = useState(false);
  const check = async () => {
    setRuns(true);
    setFound((await checkSound().catch(failed)) ?? undefined);
    setRuns(false);
  };
  const failed = (error) => {
    trouble.value = error.name;
  };
  return html`<button type="button" class="button" disabled=${runs || busy} onClick=${check}>
      ${runs ? words.checking : words.check}
    </button>
    ${found &&
    (found.leak < LEAK_DB
      ? html`<${Notice}>${words.noLeak}<//>`
      : html`<${Notice} kind="warn">
          <strong>${words.leak(Math.round(found.leak), ms(found.delay))}</strong> <span>${words.leakFix}</span>
        <//>`)}`;
}

function Device({ label, of, value, onChange }) {
  return html`<label class="field">
    ${label}
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      <option value="">${words.defaultDevice}</option>
      ${of.map((device) => html`<option key=${device.deviceId} value=${device.deviceId}>${device.label}</option>`)}
    </select>
  </label>`;
}

function Lines({ line, ready }) {
  const known = line.ready.value?.lines ?? [];
  return html`<p class="soft">${words.linesWhy}</p>
    ${known.length > 0 && html`<ul class="lines" tabindex="0" aria-label=${words.lines}>
      ${known.map(
        ({ name, text: said }) => html`<li key=${name}>
          <button type="button" class="button quiet" disabled=${!ready} onClick=${() => line.say(name)}>${said}</button>
        </li>`,
      )}
    </ul>`}
    ${!ready && html`<p class="soft">${words.needCall}</p>`}`;
}

function File({ line, ready }) {
  const [file, setFile] = useState(null);
  const [plays, setPlays] = useState(false);
  const play = async () => setPlays(Boolean(await playFile(file, line.node, () => setPlays(false))));
  const drop = (event) => {
    event.preventDefault();
    setFile(event.dataTransfer.files[0] ?? file);
  };
  return html`<div class="stack drop" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <p class="soft">${words.fileWhy}</p>
    <label class="field">
      ${words.fileLabel}
      <input type="file" accept="audio/*" onChange=${(event) => setFile(event.target.files[0] ?? null)} />
    </label>
    ${file && html`<p class="mono">${file.name}</p>`}
    ${plays
      ? html`<button type="button" class="button" onClick=${stopFile}>${words.stop}</button>`
      : html`<button type="button" class="button main" disabled=${!ready || !file} onClick=${play}>${words.sayIt}</button>`}
  </div>`;
}

function Typed({ line, ready }) {
  const [said, setSaid] = useState("");
  if (line.ready.value && !line.ready.value.speak) return html`<${Notice}>${words.noVoice}<//>`;
  const send = (event) => {
    event.preventDefault();
    line.speak(said.trim());
    setSaid("");
  };
  return html`<form class="row" onSubmit=${send}>
    <label class="field grow">
      ${words.textLabel}
      <input value=${said} maxlength="500" onInput=${(event) => setSaid(event.target.value)} autocomplete="off" />
    </label>
    <button class="button main" disabled=${!ready || !said.trim()}>${words.sayIt}</button>
  </form>`;
}
