// The lists under the picture of a call: what was said, turns, tools, money, trouble, and the record itself.

import { html, useEffect, useRef, useState } from "../dom.js";
import { clock, ms, usd, when } from "../format.js";
import { call as text } from "../text.js";

export function Tabs({ page, model, player, live, onReveal }) {
  const tabs = [
    ["words", html`<${Words} page=${page} model=${model} player=${player} live=${live} onReveal=${onReveal} />`],
    ["turns", html`<${Turns} model=${model} player=${player} />`, model.turns.length],
    ["tools", html`<${Tools} model=${model} player=${player} live=${live} />`, model.tools.length],
    ["money", html`<${Money} page=${page} model=${model} player=${player} />`],
    ["trouble", html`<${Trouble} page=${page} model=${model} player=${player} />`, model.trouble.length],
    ["notes", html`<${Notes} page=${page} />`, page.messages.length + page.notes.length],
    ["record", html`<pre class="record" tabindex="0">${JSON.stringify(page.record, null, 2)}</pre>`],
  ];
  const [shown, show] = useState("words");
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = tabs.map(([name]) => name);
    const next = names[(names.indexOf(shown) + step + names.length) % names.length];
    show(next);
    event.stopPropagation();
    event.preventDefault();
    document.getElementById(`tab-${next}`).focus();
  };
  return html`<section class="tabs">
    <div class="tab-list" role="tablist" aria-label=${text.tabsLabel} onKeyDown=${move}>
      ${tabs.map(
        ([name, , count]) => html`<button
          key=${name}
          type="button"
          role="tab"
          id="tab-${name}"
          aria-selected=${name === shown}
          aria-controls="tab-panel"
          tabindex=${name === shown ? 0 : -1}
          onClick=${() => show(name)}
        >${text.tabs[name]}${count > 0 && html` <span class="soft num">${count}</span>`}</button>`,
      )}
    </div>
    <div id="tab-panel" role="tabpanel" aria-labelledby="tab-${shown}">${tabs.find(([name]) => name === shown)[1]}</div>
  </section>`;
}

// A time that one can go to.
export function Moment({ at, player }) {
  return html`<button type="button" class="moment num" aria-label=${text.goTo(clock(at / 1000))} onClick=${() => player.seek(at)}>${clock(at / 1000)}</button>`;
}

function Words({ page, model, player, live, onReveal }) {
  const list = useRef(null);
  const count = model.lines.length;
  const now = model.lines.findLast(({ from }) => from <= player.at);
  useEffect(() => {
    const line = live && player.at === 0 ? list.current?.lastElementChild : list.current?.children[now?.index ?? 0];
    if (line) showWithin(list.current, line);
  }, [live && count, now?.index]);
  if (!page.shown.words) return html`<${Hidden} why=${text.wordsHidden} onReveal=${onReveal} what="words" />`;
  if (count === 0) return html`<p class="soft">${live ? text.noWordsYet : text.noWords}</p>`;
  return html`<div role="log" aria-live=${live ? "polite" : "off"} aria-label=${text.tabs.words}><ol class="words" tabindex="0" ref=${list}>
    ${model.lines.map(
      (line) => html`<li key=${line.index} class="${line.speaker} ${line === now ? "now" : ""}" aria-current=${line === now ? "true" : undefined} onClick=${() => player.seek(line.from)}>
        <${Moment} at=${line.from} player=${player} />
        <span class="chip ${line.speaker}">${text.speaker[line.speaker] ?? line.speaker}</span>
        <p dir="auto">
          ${line.text}
          ${line.pending && html` <span class="pending">${line.unheard}</span>`}
          ${line.cut && line.unheard && html` <del class="unheard"><span class="visually-hidden">${text.notHeard} </span>${line.unheard}</del>`}
          ${line.cut && html` <span class="cut-mark" title=${text.cut(line)}>✂ <span class="visually-hidden">${text.cut(line)}</span></span>`}
          ${line.answers && html` <span class="soft num">${text.answered(line.answers)}</span>`}
        </p>
      </li>`,
    )}
  </ol></div>`;
}

// Scrolls the list, never the page.
function showWithin(list, line) {
  const top = line.offsetTop; // of the list, which is positioned
  const above = list.scrollTop - top;
  const below = top + line.offsetHeight - list.scrollTop - list.clientHeight;
  if (above > 0 || below > 0) list.scrollTop = top - list.clientHeight / 3;
}

function Hidden({ why, what, onReveal }) {
  return html`<div class="empty">
    <p>${why}</p>
    ${onReveal && html`<button type="button" class="button" onClick=${() => onReveal(what)}>${text.reveal[what]}</button>`}
  </div>`;
}

function Turns({ model, player }) {
  if (model.turns.length === 0) return html`<p class="soft">${text.noTurns}</p>`;
  const names = [...(model.turns.some(({ took }) => took.opening) ? ["opening"] : []), ...Object.keys(text.parts)];
  return html`<div class="table-scroll" tabindex="0"><table class="table">
    <caption class="visually-hidden">${text.turnsCaption}</caption>
    <thead><tr>
      <th scope="col">${text.turnColumn}</th><th scope="col">${text.atColumn}</th><th scope="col">${text.waitColumn}</th>
      ${names.map((name) => html`<th key=${name} scope="col" title=${text.partsWhy[name]}>${text.partOf(name, model.notice)}</th>`)}
      <th scope="col">${text.cutColumn}</th><th scope="col">US$</th>
    </tr></thead>
    <tbody>${model.turns.map(
      (turn) => html`<tr key=${turn.index} class=${player.at >= turn.at && player.at < (turn.heardMs ?? turn.at) ? "now" : ""}>
        <th scope="row">${turn.index} <span class="soft">${text.turnIs(turn)}</span></th>
        <td><${Moment} at=${turn.at} player=${player} /></td>
        <td class="num"><strong>${turn.gapMs === null ? "–" : ms(turn.gapMs)}</strong></td>
        ${names.map((name) => html`<td key=${name} class="num ${turn.gapMs !== null && turn.longest === name ? "longest" : ""}">${ms(turn.took[name])}</td>`)}
        <td class="num">${turn.cutMs ? html`<${Moment} at=${turn.cutMs} player=${player} />` : "–"}</td>
        <td class="num">${turn.usd?.toFixed(4) ?? "–"}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function Tools({ model, player, live }) {
  if (model.tools.length === 0) return html`<p class="soft">${text.noTools}</p>`;
  return html`<div class="table-scroll" tabindex="0"><table class="table">
    <thead><tr><th scope="col">${text.atColumn}</th><th scope="col">${text.toolColumn}</th><th scope="col">${text.tookColumn}</th><th scope="col">${text.targetColumn}</th><th scope="col">${text.resultColumn}</th></tr></thead>
    <tbody>${model.tools.map(
      (tool) => html`<tr key=${`${tool.name}${tool.from}`}>
        <td><${Moment} at=${tool.from} player=${player} /></td>
        <th scope="row" class="mono">${tool.name}</th>
        <td class="num">${ms(tool.to - tool.from)}</td>
        <td class="num">${ms(tool.targetMs)}</td>
        <td class="nowrap">${{ true: text.worked, false: text.failed }[tool.ok] ?? (live ? text.runs : text.unfinished)}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function Money({ page, model, player }) {
  const record = page.record ?? {};
  const costly = model.turns.filter(({ usd: cost }) => cost).toSorted((one, other) => other.usd - one.usd).slice(0, 10);
  return html`<dl class="facts-list">
      <dt>${text.cost}</dt><dd class="num">${usd(record.cost_usd)}</dd>
      <dt>${text.cached}</dt><dd class="num">${Math.round(100 * (record.cached_share ?? 0))} %</dd>
      ${Object.entries(record.usage ?? {}).map(([name, count]) => html`<dt key=${name}>${text.usage[name] ?? name.replaceAll("_", " ")}</dt><dd class="num">${count.toLocaleString("en-US")}</dd>`)}
      ${record.unbilled_responses > 0 && html`<dt>${text.unbilled}</dt><dd class="num">${record.unbilled_responses}</dd>`}
    </dl>
    <p class="soft">${text.costIs}</p>
    ${costly.length > 0 &&
    html`<h3>${text.costly}</h3>
      <div class="table-scroll" tabindex="0"><table class="table"><tbody>${costly.map(
        (turn) => html`<tr key=${turn.index}><th scope="row">${text.turnNumber(turn.index)}</th><td><${Moment} at=${turn.at} player=${player} /></td><td class="num">${usd(turn.usd)}</td><td class="num">${text.cachedShare(turn.cachedShare)}</td></tr>`,
      )}</tbody></table></div>`}`;
}

function Trouble({ page, model, player }) {
  const record = page.record ?? {};
  const counts = Object.entries(text.counts).filter(([name]) => record[name]);
  return html`${model.trouble.length === 0 && !record.failure && html`<p class="soft">${text.noTrouble}</p>`}
    ${model.trouble.length > 0 &&
    html`<div class="table-scroll" tabindex="0"><table class="table">
      <thead><tr><th scope="col">${text.atColumn}</th><th scope="col">${text.whatColumn}</th><th scope="col">${text.lastedColumn}</th><th scope="col">${text.becauseColumn}</th></tr></thead>
      <tbody>${model.trouble.map(
        (each) => html`<tr key=${`${each.kind}${each.from}`}><td><${Moment} at=${each.from} player=${player} /></td><th scope="row">${text.trouble[each.kind] ?? each.kind}</th><td class="num">${ms(each.ms)}</td><td>${text.because(each.kind, each.why)}</td></tr>`,
      )}</tbody>
    </table></div>`}
    ${record.failure && html`<dl class="facts-list"><dt>${text.failure}</dt><dd>${record.failure}</dd></dl>`}
    ${counts.length > 0 && html`<h3>${text.counted}</h3><p class="soft">${text.countedWhy}</p>`}
    <dl class="facts-list">
      ${counts.map(([name, label]) => html`<dt key=${name}>${label}</dt><dd class="num">${record[name]}</dd>`)}
    </dl>`;
}

function Notes({ page }) {
  if (page.messages.length + page.notes.length === 0) return html`<p class="soft">${text.noNotes}</p>`;
  return html`<ul class="notes">
    ${page.messages.map(
      (each, at) => html`<li key=${`m${at}`}><strong>${text.messageOf(each)}</strong> <span class="soft">${when(each.taken_at)}, ${each.urgency}</span><p dir="auto">${each.reason}</p></li>`,
    )}
    ${page.notes.map((each, at) => html`<li key=${`n${at}`}><strong>${each.outcome || text.note}</strong> <span class="soft">${when(each.written_at)}</span><p dir="auto">${each.text}</p></li>`)}
  </ul>`;
}
