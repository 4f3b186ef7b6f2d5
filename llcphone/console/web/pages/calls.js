// Calls that have ended: find one, see how they went.

import { post, postForBlob } from "../api.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { clock, ms, usd, when } from "../format.js";
import { Empty, Notice, ProblemNotice } from "../parts/kit.js";
import { Trends } from "../parts/trends.js";
import { rows, snapshot } from "../store.js";
import { calls as text } from "../text.js";

const NOTHING = { text: "", number: "", agent: "", direction: "", outcome: "", from: "", to: "", longer_than_s: "", slower_than_ms: "", dearer_than_usd: "", attention: false };
const SHOWN_FIRST = ["text", "number", "agent", "attention"];
const TYPE_MS = 350;
let kept = NOTHING; // filters stay while one looks at a call

export default function Page({ route }) {
  if (!snapshot.value.store) return html`<h1>${text.title}</h1><${Empty} title=${text.noStore}><p>${text.noStoreFix}</p><//>`;
  return html`<${Calls} route=${route} />`;
}

function Calls({ route }) {
  const [filter, setFilter] = useState(kept);
  const [found, setFound] = useState({ calls: [], next: null });
  const [busy, setBusy] = useState(true);
  const [problem, setProblem] = useState(null);
  const searches = useRef(0);
  const box = useRef(null);

  const search = async (cursor = null) => {
    const mine = ++searches.current;
    setBusy(true);
    try {
      const answer = await post("/api/calls/search", { ...bodyOf(filter), ...(cursor && { cursor }) });
      if (mine !== searches.current) return;
      setFound((before) => (cursor ? { ...answer, calls: [...before.calls, ...answer.calls] } : answer));
      setProblem(null);
    } catch (error) {
      if (mine !== searches.current) return;
      setProblem(error);
    }
    if (mine === searches.current) setBusy(false);
  };
  useEffect(() => {
    kept = filter;
    const timer = setTimeout(search, TYPE_MS);
    return () => clearTimeout(timer);
  }, [filter]);
  useEffect(() => {
    if (route.query.has("search")) box.current?.focus();
  }, [route]);

  const set = (name, value) => setFilter({ ...filter, [name]: value });
  const filtered = JSON.stringify(filter) !== JSON.stringify(NOTHING);
  return html`<div class="stack">
    <h1>${text.title}</h1>
    <${Trends} />
    <form class="filters panel" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${Field} name="text" filter=${filter} set=${set} focus=${box} type="search" />
      <${Field} name="number" filter=${filter} set=${set} type="tel" />
      <${Choice} name="agent" filter=${filter} set=${set} choices=${(snapshot.value?.agents ?? []).map((name) => [name, name])} />
      <label class="row check"><input type="checkbox" checked=${filter.attention} onChange=${(event) => set("attention", event.target.checked)} />${text.fields.attention}</label>
      <details class="more" open=${Object.entries(filter).some(([name, value]) => value && !SHOWN_FIRST.includes(name))}>
        <summary>${text.more}</summary>
        <div class="filters">
          <${Choice} name="direction" filter=${filter} set=${set} choices=${Object.entries(text.directions)} />
          <${Choice} name="outcome" filter=${filter} set=${set} choices=${text.reasons.map((reason) => [reason, reason])} />
          <${Field} name="from" filter=${filter} set=${set} type="date" />
          <${Field} name="to" filter=${filter} set=${set} type="date" />
          <${Field} name="longer_than_s" filter=${filter} set=${set} type="number" />
          <${Field} name="slower_than_ms" filter=${filter} set=${set} type="number" />
          <${Field} name="dearer_than_usd" filter=${filter} set=${set} type="number" step="0.01" />
        </div>
      </details>
      ${filtered && html`<button type="button" class="button quiet" onClick=${() => setFilter(NOTHING)}>${text.clear}</button>`}
    </form>
    <${ProblemNotice} problem=${problem} />
    ${found.complete === false && html`<${Notice} kind="warn">${text.notAll}<//>`}
    <${Found} found=${found} busy=${busy} filtered=${filtered} onMore=${() => search(found.next)} onSave=${() => saveCsv(filter).catch(setProblem)} />
  </div>`;
}

function bodyOf(filter) {
  const body = {};
  for (const [name, value] of Object.entries(filter)) {
    if (value === "" || value === false) continue;
    if (name === "from" || name === "to") body[name] = dayOf(value, name === "to");
    else body[name] = name.includes("_than_") ? Number(value) : value;
  }
  return body;
}

// A day as Unix time, of this browser's time zone; `to` includes the day.
const dayOf = (value, whole) => new Date(`${value}T00:00`).getTime() / 1000 + (whole ? 86_400 : 0);

function Field({ name, filter, set, type, focus, step }) {
  return html`<label class="stack">${text.fields[name]}<input ref=${focus} type=${type} step=${step} min=${type === "number" ? 0 : undefined} autocomplete="off" value=${filter[name]} onInput=${(event) => set(name, event.target.value)} /></label>`;
}

function Choice({ name, filter, set, choices }) {
  return html`<label class="stack">${text.fields[name]}<select value=${filter[name]} onChange=${(event) => set(name, event.target.value)}>
    <option value="">${text.any}</option>
    ${choices.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
  </select></label>`;
}

function Found({ found, busy, filtered, onMore, onSave }) {
  if (found.calls.length === 0 && found.next) {
    return html`<p class="row"><span class="soft">${busy ? text.searching : text.noneUntilHere}</span><button type="button" class="button" disabled=${busy} onClick=${onMore}>${text.searchOn}</button></p>`;
  }
  if (found.calls.length === 0) {
    if (busy) return html`<p class="soft">${text.searching}</p>`;
    return filtered
      ? html`<${Empty} title=${text.noneFound}><p>${text.noneFoundFix}</p><//>`
      : html`<${Empty} title=${text.noneYet}><p><a href="#/phone">${text.noneYetFix}</a></p>${rows.value.size > 0 && html`<p><a href="#/live">${text.liveNow(rows.value.size)}</a></p>`}<//>`;
  }
  return html`<div class="table-scroll" aria-busy=${busy}><table class="table rows">
      <caption class="visually-hidden">${text.caption}</caption>
      <thead><tr>${text.columns.map((name) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead>
      <tbody>${found.calls.map((call) => html`<${Row} key=${call.id} call=${call} />`)}</tbody>
    </table></div>
    <div class="row">
      <span class="soft num" role="status">${text.shown(found.calls.length, found.next)}</span>
      ${found.next && html`<button type="button" class="button" disabled=${busy} onClick=${onMore}>${text.nextPage}</button>`}
      <span class="grow"></span>
      <button type="button" class="button quiet" onClick=${onSave}>${text.csv}</button>
    </div>`;
}

function Row({ call }) {
  const cells = [
    html`<span class="agent-name" title=${call.agent}>${call.agent}</span>`,
    html`<span class="num">${clock(call.duration_s ?? 0)}</span>`,
    call.reason,
    html`<span class="num">${ms(call.slowest_ms)}</span>`,
    html`<span class="num">${call.turns ?? "–"}</span>`,
    html`<span class="num">${usd(call.cost_usd)}</span>`,
    call.attention ? html`<span class="chip bad">⚑ ${call.attention}</span>` : "",
  ];
  return html`<tr class=${call.attention ? "urgent" : ""}>
    <th scope="row"><a href="#/calls/${encodeURIComponent(call.id)}">${when(call.born_at ?? call.created_at)}</a></th>
    <td class="who" data-label=${text.columns[1]}>${text.who(call)}</td>
    ${cells.map((cell, at) => html`<td key=${at} data-label=${text.columns[at + 2]}>${cell}</td>`)}
  </tr>`;
}

// All that is found, not only what is shown.
async function saveCsv(filter) {
  const url = URL.createObjectURL(await postForBlob("/api/calls/export", bodyOf(filter)));
  Object.assign(document.createElement("a"), { href: url, download: "calls.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
