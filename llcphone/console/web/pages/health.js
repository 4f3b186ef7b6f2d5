// How well the server is: what it takes, what limits it, its warnings, its doctor, and how to stop it.

import { get, post, sentence, session } from "../api.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { ms, usd, when } from "../format.js";
import { Dialog, Empty, Notice, ProblemNotice } from "../parts/kit.js";
import { health, refresh, snapshot } from "../store.js";
import { health as text } from "../text.js";

const SAMPLES = 120; // of the event loop's delay

export default function Page() {
  if (snapshot.value && Object.keys(health.value ?? {}).length === 0) return html`<h1>${text.title}</h1><${Empty} title=${text.elsewhere}><p>${text.elsewhereWhy}</p><//>`;
  return html`<div class="stack">
    <h1>${text.title}</h1>
    <${Readiness} />
    <${Parts} />
    <${Doctor} />
    <${Log} />
    <${Settings} />
    ${session.value.act && snapshot.value?.drain !== null && html`<${Drain} />`}
  </div>`;
}

function Readiness() {
  const { ready = [], alive = [], draining, live } = health.value ?? {};
  if (draining) return html`<${Notice} kind="warn"><strong>${text.draining}</strong> ${text.left(live)}<//>`;
  if (ready.length + alive.length === 0) return html`<${Notice}><strong>✓ ${text.ready}</strong> ${text.readyWhy}<//>`;
  return html`<${Notice} kind="bad"><strong>✗ ${text.notReady}</strong><ul>${[...alive, ...ready].map((why) => html`<li key=${why}>${why}</li>`)}</ul><//>`;
}

function Parts() {
  const well = health.value ?? {};
  const lag = useSamples(well.lag_p99_ms);
  const warm = well.warm ?? {};
  const facts = [
    [text.parts.process, `${snapshot.value?.version ?? ""} · ${(snapshot.value?.process ?? "").slice(0, 8)}`],
    [text.parts.model, snapshot.value?.model?.text],
    [text.parts.live, `${well.live ?? 0} / ${well.most ?? "–"}`],
    [text.parts.warm, text.warm(warm)],
    [text.parts.breaker, well.breaker_open ? `✗ ${text.open}` : `✓ ${text.closed}`],
    [text.parts.turnedAway, well.turned_away ?? 0],
    [text.parts.today, well.usd_budget ? `${usd(well.usd_today ?? 0)} ${text.of} ${usd(well.usd_budget)}` : usd(well.usd_today ?? 0)],
    ...Object.entries(text.more).filter(([name]) => well[name] !== undefined && well[name] !== null).map(([name, label]) => [label, String(well[name])]),
  ];
  return html`<section class="panel">
    <dl class="facts-list wide">
      ${facts.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd class="num">${value}</dd>`)}
      <dt>${text.parts.loop}</dt>
      <dd class="row"><span class="num">${ms(well.lag_p99_ms)}</span><${Sparkline} values=${lag} /></dd>
    </dl>
  </section>`;
}

function useSamples(value) {
  const samples = useRef([]);
  useEffect(() => {
    if (value !== undefined) samples.current = [...samples.current, value].slice(-SAMPLES);
  });
  return value === undefined ? samples.current : [...samples.current, value].slice(-SAMPLES);
}

function Sparkline({ values }) {
  if (values.length < 2) return null;
  const most = Math.max(10, ...values);
  const points = values.map((value, at) => `${(at / (values.length - 1)) * 200},${(38 - (value / most) * 36).toFixed(1)}`).join(" ");
  return html`<svg class="sparkline" viewBox="0 0 200 40" preserveAspectRatio="none" role="img" aria-label=${text.lagSays(ms(values.at(-1)), ms(Math.max(...values)))}><polyline points=${points} /></svg>`;
}

// What a route answers, and a function that asks again. A route that is not there is null.
function useRoute(path) {
  const [answer, setAnswer] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const load = async () => {
    try {
      setAnswer(await get(path));
      setProblem(null);
    } catch (error) {
      if (error.status === 404) setAnswer(null);
      else setProblem(error);
    }
  };
  useEffect(() => void load(), [path]);
  return [answer, load, problem, setProblem];
}

function Doctor() {
  const [doctor, load, problem, setProblem] = useRoute("/api/doctor");
  const [asking, ask] = useState(false);
  const running = doctor?.running ?? false;
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(load, 1000);
    return () => clearInterval(timer);
  }, [running]);
  if (!doctor?.there) return null;
  const run = async (live) => {
    ask(false);
    try {
      await post("/api/doctor", { live });
      await load();
    } catch (error) {
      setProblem(error);
    }
  };
  const findings = findingsOf(doctor.report);
  return html`<section class="panel stack" aria-labelledby="doctor">
    <div class="row head-row">
      <h2 id="doctor">${text.doctor}</h2>
      ${session.value.act &&
      html`<button type="button" class="button" disabled=${running} onClick=${() => run(false)}>${running ? text.examining : text.examine}</button>
        <button type="button" class="button quiet" disabled=${running} onClick=${() => ask(true)}>${text.examineLive}</button>`}
    </div>
    <${ProblemNotice} problem=${problem} />
    ${doctor.trouble && html`<${Notice} kind="bad">${sentence(doctor.trouble)}<//>`}
    ${doctor.at === null ? html`<p class="soft">${text.noReport}</p>` : html`<p class="soft">${text.reportOf(when(doctor.at))}</p>`}
    ${findings.length > 0 &&
    html`<ul class="findings">
      ${findings.map(
        ({ check, status, evidence, fix }) => html`<li key=${check} class=${status}>
          <span class="chip ${status}">${text.status[status] ?? status}</span>
          <div><strong>${check}</strong> <span>${evidence}</span>${fix && status !== "pass" && html`<p class="soft">${text.fix(fix)}</p>`}</div>
        </li>`,
      )}
    </ul>`}
    <${Dialog} open=${asking} title=${text.examineLiveAsk} onClose=${() => ask(false)}>
      <p>${text.liveCosts}</p>
      <div class="row"><button type="button" class="button main" onClick=${() => run(true)}>${text.examine}</button><button type="button" class="button quiet" autofocus onClick=${() => ask(false)}>${text.cancel}</button></div>
    <//>
  </section>`;
}

const WORST = ["fail", "unknown", "warn", "pass"];
const findingsOf = (report) => {
  const all = Array.isArray(report) ? report : report?.findings ?? report?.checks ?? [];
  return all.toSorted((one, other) => WORST.indexOf(one.status) - WORST.indexOf(other.status));
};

function Log() {
  const [log, load, problem] = useRoute("/api/log");
  if (log === null) return null;
  const lines = (log?.lines ?? []).toReversed();
  return html`<section class="panel stack" aria-labelledby="log">
    <div class="row head-row"><h2 id="log">${text.log}</h2><button type="button" class="button quiet" onClick=${load}>${text.again}</button></div>
    <${ProblemNotice} problem=${problem} />
    ${lines.length === 0
      ? html`<p class="soft">${text.noWarnings}</p>`
      : html`<ol class="log" tabindex="0" aria-labelledby="log">${lines.map(
          ({ at, level, logger, text: words }, index) => html`<li key=${index}><span class="soft num">${when(at)}</span> <span class="chip ${level === "warning" ? "warn" : "bad"}">${level}</span> <span>${words}</span> <span class="soft mono">${logger}</span></li>`,
        )}</ol>`}
  </section>`;
}

function Settings() {
  const [settings, , problem] = useRoute("/api/settings");
  const [wanted, setWanted] = useState("");
  const all = settings?.settings ?? [];
  if (settings === null || (settings && all.length === 0)) return null;
  const words = wanted.trim().toLowerCase();
  const shown = all.filter(({ key, value, origin }) => (words ? `${key} ${value} ${origin}`.toLowerCase().includes(words) : origin !== "default"));
  return html`<details class="panel">
    <summary><h2>${text.settings}</h2></summary>
    <div class="stack">
      <${ProblemNotice} problem=${problem} />
      <label class="stack">${text.findSetting}<input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>
      <p class="soft">${words ? text.settingsFound(shown.length, all.length) : text.settingsOwn(shown.length, all.length)}</p>
      <div class="table-scroll"><table class="table rows">
        <thead><tr>${text.settingColumns.map((name) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead>
        <tbody>${shown.map(({ key, value, origin }) => html`<tr key=${key}><th scope="row" class="mono">${key}</th><td data-label=${text.settingColumns[1]}><div class="mono value">${value}</div></td><td class="soft origin" data-label=${text.settingColumns[2]}>${origin}</td></tr>`)}</tbody>
      </table></div>
    </div>
  </details>`;
}

function Drain() {
  const [asking, ask] = useState(false);
  const [problem, setProblem] = useState(null);
  const [limitS, setLimitS] = useState(null);
  const { live = 0, draining } = health.value ?? {};
  const drain = async () => {
    try {
      setLimitS((await post("/api/drain")).limit_s);
      setProblem(null);
      ask(false);
      await refresh(); // so that the page says so at once
    } catch (error) {
      setProblem(error);
    }
  };
  return html`<section class="panel stack" aria-labelledby="stop">
    <h2 id="stop">${text.stop}</h2>
    <p>${text.stopWhy}</p>
    ${limitS !== null && html`<${Notice} kind="warn">${text.stopping(live, limitS)}<//>`}
    <div><button type="button" class="button danger" disabled=${draining || limitS !== null} onClick=${() => ask(true)}>${text.stopButton}</button></div>
    <${Dialog} open=${asking} title=${text.stop} onClose=${() => ask(false)}>
      <p>${text.stopAsk(live, snapshot.value.drain)}</p>
      <${ProblemNotice} problem=${problem} />
      <div class="row"><button type="button" class="button danger" onClick=${drain}>${text.stopNow}</button><button type="button" class="button quiet" autofocus onClick=${() => ask(false)}>${text.cancel}</button></div>
    <//>
  </section>`;
}
