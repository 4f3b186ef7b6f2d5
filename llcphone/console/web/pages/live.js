// The calls of this moment.

import { session } from "../api.js";
import { html } from "../dom.js";
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
          <tbody>${calls.map((row) => html`<${Row} key=${row.id} row=${row} />`)}</tbody>
        </table></div>`}
  </div>`;
}

const byUrgency = (one, other) => urgency(other) - urgency(one);
const urgency = ({ approvals, attention }) => (approvals?.length ? 2 : 0) + (attention ? 1 : 0);

// Since when something has lasted that a row gives as seconds ago.
const lasted = ({ seenAt }, seconds) => seconds + Math.max(0, now.value - seenAt) / 1000;

function Row({ row }) {
  const href = `#/live/${encodeURIComponent(row.id)}`;
  const cells = [
    text.floor[row.floor] ? html`<span class="chip ${row.floor}">${text.floor[row.floor]}</span>` : "–",
    html`<span class="num">${clock(lasted(row, row.since_s))}</span>`,
    html`<span class="num">${ms(row.gap_ms)}</span>`,
    row.worst && html`<span class="nowrap">${text.worst[row.worst] ?? row.worst}</span>`,
    row.tools?.length > 0 && html`<span class="tools">${row.tools.map((name) => html`<span key=${name} class="chip tool">${name} …</span>`)}</span>`,
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
          ${row.silent_s !== null && row.silent_s !== undefined && html`<span class="num">${text.silent(clock(lasted(row, row.silent_s)))}</span>`}
          ${(row.approvals ?? []).map((each) =>
            session.value.act ? html`<${Approval} key=${each.id} call=${row.id} approval=${each} />` : html`<p key=${each.id}>${text.asks(each.text)}</p>`,
          )}
        </li>`,
      )}
    </ul>
  </section>`;
}

// How many calls are in each state, in the order in which calls go through them.
function statesOf(calls) {
  const counts = Object.keys(text.state).map((state) => [calls.filter((row) => row.state === state).length, text.state[state]]);
  return counts.filter(([count]) => count > 0).map(([count, state]) => `${count} ${state}`).join(" · ");
}

function Tiles({ calls }) {
  const well = health.value ?? {};
  const gaps = calls.map(({ gap_ms }) => gap_ms).filter((gap) => gap !== null && gap !== undefined).sort((one, other) => one - other);
  const share = (part) => gaps[Math.min(gaps.length - 1, Math.floor(part * gaps.length))];
  const warm = well.warm ?? {};
  const tiles = [
    [text.tiles.live, `${calls.length} / ${well.most ?? "–"}`, statesOf(calls)],
    [text.tiles.gap, ms(well.gap_p50_ms ?? share(0.5)), text.tiles.p95(ms(well.gap_p95_ms ?? share(0.95)))],
    [text.tiles.warm, `${warm.ready ?? 0}`, text.tiles.warmRest(warm.dialling ?? 0, warm.misses ?? 0)],
    [text.tiles.model, well.breaker_open ? text.tiles.breakerOpen : text.tiles.breakerClosed, text.tiles.loop(ms(well.lag_p99_ms))],
    [text.tiles.today, usd(well.usd_today ?? 0), well.usd_budget ? text.tiles.budget(usd(well.usd_budget)) : text.tiles.noBudget],
  ];
  if (!snapshot.value) return null;
  return html`<dl class="tiles">
    ${tiles.map(
      ([name, value, rest]) => html`<div key=${name} class="panel tile"><dt class="soft">${name}</dt><dd><span class="tile-value num">${value}</span><span class="soft">${rest}</span></dd></div>`,
    )}
  </dl>`;
}
