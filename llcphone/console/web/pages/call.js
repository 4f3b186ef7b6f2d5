// One call, live or ended: its picture, its words, and what can be done with it.

import { get, post, session } from "../api.js";
import { html, useEffect, useMemo, useRef, useState } from "../dom.js";
import { clock, usd, when } from "../format.js";
import { Acts, Approvals } from "../parts/acts.js";
import { Tabs } from "../parts/call_tabs.js";
import { Empty, Notice, PageProblem, ProblemNotice } from "../parts/kit.js";
import { Picture } from "../parts/picture.js";
import { folded, modelOf } from "../parts/picture_model.js";
import { PlayerBar, usePlayer } from "../parts/player.js";
import { connection, go, now, rows, watch } from "../store.js";
import { call as text } from "../text.js";

export default function Page({ route }) {
  // another call is another page: nothing of the one before stays
  return html`<${Call} key=${route.id} id=${route.id} beginMs=${(Number(route.query.get("at")) || 0) * 1000} />`;
}

function Call({ id, beginMs }) {
  const [page, setPage] = useState(null);
  const [problem, setProblem] = useState(null);
  const loads = useRef(0);
  const path = `/api/calls/${encodeURIComponent(id)}`;
  const load = async () => {
    const mine = ++loads.current;
    try {
      const next = await get(path);
      if (mine === loads.current) setPage({ ...next, readAt: Date.now() });
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
  };
  const live = page !== null && page.call.state !== "ended";
  const words = page?.shown.words ?? false;
  const listed = rows.value.has(id);
  const connected = connection.value.state === "live";

  useEffect(() => void load(), [id, connected, listed]); // events may have been missed
  useEffect(() => (live ? watch(id, { words }, (message) => (message.kind === "ended" ? load() : setPage((before) => folded(before, message)))) : undefined), [id, live, words]);
  const reveal = async (what) => {
    try {
      const { until_s } = await post(`${path}/reveal`, { what });
      await load();
      setTimeout(load, until_s * 1000 + 500);
    } catch (error) {
      setProblem(error);
    }
  };
  if (page === null) {
    return problem ? html`<${PageProblem} problem=${problem}><a href="#/calls">${text.toCalls}</a><//>` : html`<p class="soft">${text.loading}</p>`;
  }
  return html`<${Shown} page=${page} live=${live} problem=${problem} beginMs=${beginMs} onReveal=${session.value.act ? reveal : null} onActed=${load} />`;
}

function Shown({ page, live, problem, beginMs, onReveal, onActed }) {
  const { call, record } = page;
  const elapsed = live ? Math.max(0, now.value - call.created_at * 1000) : null;
  const model = useMemo(() => modelOf(page, elapsed), [page, live && Math.floor(elapsed / 1000)]);
  const player = usePlayer({ id: call.id, model, begin: beginMs, startMs: page.audio?.after_birth_ms ?? 0 });
  const row = rows.value.get(call.id);
  return html`<article class="call stack">
    <${Head} page=${page} model=${model} player=${player} live=${live} elapsed=${elapsed} onReveal=${onReveal} />
    <${ProblemNotice} problem=${problem} />
    ${live && row && html`<${Approvals} call=${call.id} approvals=${row.approvals ?? []} />`}
    ${live && session.value.act && html`<${Acts} call=${call} transfers=${page.transfers} onActed=${onActed} />`}
    ${record === null
      ? html`<${Notice} kind="warn">${text.noRecord}<//>`
      : html`<section class="panel stack" aria-label=${text.pictureTitle}>
            ${model.floor.length + model.turns.length === 0
              ? html`<${Empty} title=${live ? text.nothingYet : text.nothing}><p>${live ? text.nothingYetWhy : text.nothingWhy(call.reason)}</p><//>`
              : html`<${Picture} model=${model} at=${live && player.at === 0 ? model.end : player.at} peaks=${player.peaks} onSeek=${player.seek} live=${live && player.at === 0} />
                  <${PlayerBar} player=${player} model=${model} hasAudio=${!live && page.audio !== null && page.shown.audio} live=${live} />
                  <${AudioNote} page=${page} player=${player} onReveal=${onReveal} live=${live} />`}
          </section>
          <${Tabs} page=${page} model=${model} player=${player} live=${live} onReveal=${onReveal} />`}
  </article>`;
}

function AudioNote({ page, player, onReveal, live }) {
  if (player.loaded || live) return null;
  if (!page.audio) return html`<p class="soft">${text.noAudio}</p>`;
  if (page.shown.audio) return null;
  return html`<p class="soft">${text.audioHidden} ${onReveal && html`<button type="button" class="link" onClick=${() => onReveal("audio")}>${text.reveal.audio}</button>`}</p>`;
}

function Head({ page, model, player, live, elapsed, onReveal }) {
  const { call, record, runs } = page;
  const [copied, setCopied] = useState(false);
  const slow = model.turns.reduce((worst, turn) => (turn.gapMs !== null && turn.gapMs > (worst?.gapMs ?? -1) ? turn : worst), null);
  const copy = async () => {
    const url = new URL(location.href);
    url.hash = `#/calls/${encodeURIComponent(call.id)}?at=${(player.at / 1000).toFixed(1)}`;
    await navigator.clipboard.writeText(url.href);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<header class="call-head">
    <div class="row">
      <h1 class="grow">${text.title(call)}</h1>
      <span class="chip ${live ? "agent" : ""}">${live ? text.state[call.state] ?? call.state : call.reason}</span>
    </div>
    <p class="call-facts">
      <span class="agent-name">${call.agent}</span>
      <span>${when(call.created_at)}</span>
      <span class="num">${clock(live ? elapsed / 1000 : call.duration_s ?? 0)}</span>
      ${record && html`<span class="num">${usd(record.cost_usd)}${record.cached_share > 0 && ` (${text.cachedShare(record.cached_share)})`}</span>`}
      ${slow && html`<span>${text.slowest} <button type="button" class="link num" onClick=${() => player.seek(slow.at)}>${text.slowestIs(slow)}</button></span>`}
      ${model.unanswered && html`<span class="bad-text">${text.unanswered(model.unanswered, live)}</span>`}
      ${record?.transferred_to && html`<span>${text.transferred(record.transferred_to)}</span>`}
      <span class="mono soft">${call.id}</span>
    </p>
    <div class="row">
      ${runs.length > 1 &&
      html`<label class="row">${text.run}
        <select value=${call.id} onChange=${(event) => go(`#/calls/${encodeURIComponent(event.target.value)}`)}>
          ${runs.map((id, at) => html`<option key=${id} value=${id}>${text.runOf(at + 1, runs.length)}</option>`)}
        </select>
      </label>`}
      <button type="button" class="link" onClick=${copy}>${copied ? text.copied : text.copyLink(clock(player.at / 1000))}</button>
      ${!page.shown.numbers && onReveal && html`<button type="button" class="link" onClick=${() => onReveal("numbers")}>${text.reveal.numbers}</button>`}
      <span class="grow"></span>
      <a href=${live ? "#/live" : "#/calls"}>${live ? text.toLive : text.toCalls}</a>
    </div>
  </header>`;
}
