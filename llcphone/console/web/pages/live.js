// The calls of this moment.

import { session } from "../api.js";
import { html, useEffect, useRef } from "../dom.js";
import { clock, ms, usd } from "../format.js";
import { Approval, HangUp } from "../parts/acts.js";
import { Empty } from "../parts/kit.js";
import { health, now, rows, snapshot } from "../store.js";
import { live as text } from "../text.js";
import CallPage from "./call.js";

export default function Page({ route }) {
  return route.id ? html`<${CallPage} route=${route} />` : html`<${Live} />`;
}

function Live() {
  const calls = [...rows.value.values()].sort(byUrgency);
  const seen = useSeen(calls);
  return html`<div class="stack">
    <h1>${text.title}</h1>
    <${Attention} calls=${calls} />
    <${Tiles} calls=${calls} />
    ${calls.length === 0
      ? html`<${Empty} title=${text.empty}>
          <p>${session.value.phone ? html`<a href="#/phone">${text.emptyPhone}</a>` : text.emptyServe}</p>
          <p><a href="#/calls">${text.emptyCalls}</a></p>
        <//>`
      : html`<div class="table-scroll"><table class="table rows">
          <caption class="visually-hidden">${text.caption}</caption>
          <thead><tr>${text.columns.map((name) => html`<th key=${name} scope="col">${name}</th>`)}${session.value.act && html`<th scope="col"><span class="visually-hidden">${text.acts}</span></th>`}</tr></thead>
          <tbody>${calls.map((row) => html`<${Row} key=${row.id} row=${row} seenAt=${seen.get(row.id)} />`)}</tbody>
        </table></div>`}
  </div>`;
}

const byUrgency = (one, other) => urgency(other) - urgency(one);
const urgency = ({ approvals, attention }) => (approvals?.length ? 2 : 0) + (attention ? 1 : 0);

// When each row was told how long its call lasts: from there the clock of this page goes on.
function useSeen(calls) {
  const seen = useRef(new Map());
  useEffect(() => {
    for (const id of seen.current.keys()) if (!rows.value.has(id)) seen.current.delete(id);
  });
  for (const { id, since_s } of calls) {
    if (seen.current.get(id)?.since_s !== since_s) seen.current.set(id, { since_s, at: Date.now() });
  }
  return seen.current;
}

const lasted = ({ since_s, at }) => since_s + Math.max(0, now.value - at) / 1000;

function Row({ row, seenAt }) {
  const href = `#/live/${encodeURIComponent(row.id)}`;
  const cells = [
    html`<span class="chip ${row.floor === "caller" || row.floor === "agent" ? row.floor : ""}">${text.floor[row.floor] ?? text.floor.nobody}</span>`,
    html`<span class="num">${clock(lasted(seenAt))}</span>`,
    html`<span class="num">${ms(row.gap_ms)}</span>`,
    html`<span>${text.worst[row.worst] ?? row.worst ?? ""}</span>`,
    html`<span class="tools">${(row.tools ?? []).map((name) => html`<span key=${name} class="chip tool">${name} …</span>`)}</span>`,
    html`<span class="num">${usd(row.usd)}</span>`,
  ];
  return html`<tr class=${urgency(row) ? "urgent" : ""}>
    <th scope="row"><a href=${href}>${text.who(row)}</a></th>
    <td data-label=${text.columns[1]}><span class="agent-name" title=${row.agent}>${row.agent}</span></td>
    <td data-label=${text.columns[2]}>${text.state[row.state] ?? row.state}</td>
    ${cells.map((cell, at) => html`<td key=${at} data-label=${text.columns[at + 3]}>${cell}</td>`)}
    ${session.value.act && html`<td class="acts"><${HangUp} call=${row.id} label=${text.end} who=${text.who(row)} /></td>`}
  </tr>`;
}

function Attention({ calls }) {
  const urgent = calls.filter((row) => urgency(row) > 0);
  if (urgent.length === 0) return null;
  return html`<section class="panel stack" aria-label=${text.attention}>
    <h2>⚑ ${text.attention}</h2>
    <ul class="attention">
      ${urgent.map(
        (row) => html`<li key=${row.id}>
          <a href="#/live/${encodeURIComponent(row.id)}">${text.who(row)}</a>
          ${row.attention && html` <span>${row.attention}</span>`}
          ${(row.approvals ?? []).map((each) =>
            session.value.act ? html`<${Approval} key=${each.id} call=${row.id} approval=${each} />` : html`<p key=${each.id}>${text.asks(each.text)}</p>`,
          )}
        </li>`,
      )}
    </ul>
  </section>`;
}

function Tiles({ calls }) {
  const well = health.value ?? {};
  const gaps = calls.map(({ gap_ms }) => gap_ms).filter((gap) => gap !== null && gap !== undefined).sort((one, other) => one - other);
  const share = (part) => gaps[Math.min(gaps.length - 1, Math.floor(part * gaps.length))];
  const count = (state) => calls.filter((row) => row.state === state).length;
  const warm = well.warm ?? {};
  const tiles = [
    [text.tiles.live, `${calls.length} / ${well.most ?? "–"}`, text.tiles.states(count("talking"), count("ringing"), count("restoring"))],
    [text.tiles.gap, ms(well.gap_p50_ms ?? share(0.5)), text.tiles.p95(ms(well.gap_p95_ms ?? share(0.95)))],
    [text.tiles.warm, `${warm.ready ?? 0}`, text.tiles.warmRest(warm.dialling ?? 0, warm.misses ?? 0)],
    [text.tiles.loop, well.lag_p99_ms === undefined ? "–" : `${well.lag_p99_ms} ms`, well.breaker_open ? text.tiles.breakerOpen : text.tiles.breakerClosed],
    [text.tiles.today, usd(well.usd_today ?? 0), well.usd_budget ? text.tiles.budget(usd(well.usd_budget)) : text.tiles.noBudget],
  ];
  if (!snapshot.value) return null;
  return html`<dl class="tiles">
    ${tiles.map(
      ([name, value, rest]) => html`<div key=${name} class="panel tile"><dt class="soft">${name}</dt><dd><span class="tile-value num">${value}</span><span class="soft">${rest}</span></dd></div>`,
    )}
  </dl>`;
}
