// The shell: head, pages, keys; and the way in.

import { Problem, TOKEN, enter, hasToken, session } from "./api.js";
import { lines, openLines } from "./audio/lines.js";
import { html, render, signal, useEffect, useState } from "./dom.js";
import { clock, usd } from "./format.js";
import { keysOn, registerKeys, switchKeys } from "./keys.js";
import { Dialog, Empty, Notice, ProblemNotice } from "./parts/kit.js";
import { connect, connection, go, health, now, refresh, route, rows, snapshot } from "./store.js";
import * as text from "./text.js";
import { nextTheme, theme } from "./theme.js";

const PAGES = { phone: "phone", live: "live", calls: "calls", call: "call", health: "health" };
const ICONS = {
  phone: "M6.6 10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 1 0 0 1-.25 1Z",
  live: "M3 12h3l3-8 5 16 3-8h4",
  calls: "M4 6h16M4 12h16M4 18h10",
  health: "M12 21s-8-5.2-8-11a4.6 4.6 0 0 1 8-3 4.6 4.6 0 0 1 8 3c0 5.8-8 11-8 11Z",
};
const helpOpen = signal(false);
const parts = signal({}); // modules of pages, and of the dialog that places a call

async function load(name, path) {
  try {
    const module = await import(path);
    parts.value = { ...parts.value, [name]: module };
  } catch (error) {
    console.warn(`no ${path}`, error.message);
    parts.value = { ...parts.value, [name]: null };
  }
}

function pageOf({ page, id }) {
  if (page === "") return session.value?.phone ? "phone" : "live";
  return (page === "calls" || page === "live") && id ? "call" : page;
}

const navOf = (name) => (name === "call" ? (route.value.page === "live" ? "live" : "calls") : name);

function App() {
  const state = session.value;
  if (state === undefined || (state && !snapshot.value)) return html`<p class="splash soft">${text.shell.loading}</p>`;
  if (state === null) return html`<${SignIn} />`;
  return html`<${Shell} />`;
}

function Shell() {
  const name = pageOf(route.value);
  const known = Object.hasOwn(PAGES, name);
  useEffect(() => {
    if (known && !parts.value[name]) load(name, `./pages/${name}.js`);
    const title = text.shell.nav[navOf(name)];
    document.title = title ? `${title} · llcphone` : "llcphone";
  }, [name]);
  useEffect(() => {
    if (session.value.phone && session.value.mode === "phone") openLines(); // it rings whatever page is shown
    load("place", "./parts/place.js");
    for (const page of Object.keys(PAGES)) load(page, `./pages/${page}.js`); // before the server goes away, perhaps
    return registerKeys({
      "g p": () => go("#/phone"),
      "g l": () => go("#/live"),
      "g c": () => go("#/calls"),
      "g h": () => go("#/health"),
      "/": () => go("#/calls?search"),
      c: () => (canPlace() ? parts.value.place.openPlace() : false),
      "?": () => (helpOpen.value = true),
    });
  }, []);
  const Page = parts.value[name] && parts.value[name].default;
  const Place = parts.value.place?.default;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${text.shell.skip}</a>
    <div class="shell">
      <${Head} page=${name} />
      <${Nav} current=${name} />
      <main id="main" tabindex="-1" class="page page-${known ? name : "none"}">
        ${connection.value.state === "retrying" && html`<${Notice} kind="bad">${text.shell.connectionTitle.retrying}<//>`}
        ${Page
          ? html`<${Page} route=${route.value} />`
          : known
            ? html`<p class="soft">${text.shell.loading}</p>`
            : html`<${Empty} page title=${text.shell.noPage}><p>${text.shell.noPageFix}</p><//>`}
      </main>
    </div>
    ${Place && html`<${Place} />`}
    <${Keys} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

const canPlace = () => Boolean(session.value?.act && parts.value.place && snapshot.value?.agents?.length && connection.value.state !== "retrying" && !health.value?.draining);

function Head({ page }) {
  const well = health.value ?? {};
  const reasons = well.ready ?? [];
  const live = rows.value.size || well.live || 0;
  const { state, since } = connection.value;
  return html`<header class="head">
    <a class="brand" href="#/"><img src="/web/icon.svg" alt="" width="28" height="28" />llcphone</a>
    ${text.shell.connection[state] &&
    html`<span class="chip state-${state}" role="status" title=${text.shell.connectionTitle[state]}>
      ${text.shell.connection[state]}
      ${state === "retrying" && html` ${text.shell.since(new Date(since).toLocaleTimeString())}`}
    </span>`}
    <div class="facts">
      ${snapshot.value?.agents?.length > 0 && state !== "retrying" &&
      html`<span>${text.shell.liveCalls(live)}</span>
        <a href="#/health" class=${reasons.length || well.draining ? "bad-text" : ""} title=${reasons.join("; ")}>
          ${well.draining ? text.shell.draining : reasons.length ? text.shell.notReady : text.shell.ready}
        </a>
        <span class="num" title=${snapshot.value.model.kind === "simulated" ? text.shell.notSpent : ""}>${usd(well.usd_today ?? 0)} ${text.shell.today}</span>`}
      ${!session.value.act && html`<span class="chip">${text.shell.readOnly}</span>`}
    </div>
    ${page !== "phone" && html`<${InCall} />`}
    ${canPlace() &&
    html`<button type="button" class="button" onClick=${() => parts.value.place.openPlace()}>${text.shell.placeCall}</button>`}
    <button
      type="button"
      class="button quiet icon"
      title=${text.shell.keys}
      aria-label=${text.shell.keys}
      onClick=${() => (helpOpen.value = true)}
    >?</button>
    <button
      type="button"
      class="button quiet icon"
      title=${text.shell.theme[theme.value]}
      aria-label=${text.shell.theme[theme.value]}
      onClick=${nextTheme}
    >${{ auto: "◐", light: "☀", dark: "☾" }[theme.value]}</button>
  </header>`;
}

// The call of this page's telephone, while another page is looked at.
function InCall() {
  const [line] = lines;
  const rings = lines.some(({ state }) => state.value === "incoming");
  if (!line.busy.value && !rings) return null;
  return html`<a class="button in-call" href="#/phone" role=${rings ? "alert" : undefined}>
    ${rings ? text.shell.rings : text.shell.inCall(clock((now.value - line.since.value) / 1000))}
  </a>`;
}

function Nav({ current }) {
  const { live } = snapshot.value; // else the server is elsewhere, and this is only a telephone
  const pages = Object.entries(text.shell.nav).filter(([page]) => (page === "phone" ? session.value.phone : live));
  return html`<nav class="nav" aria-label=${text.shell.pages}>
    <div class="nav-pages">${pages.map(
      ([page, label]) =>
        html`<a key=${page} href="#/${page}" aria-current=${page === navOf(current) ? "page" : undefined}>
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[page]} /></svg>${label}
        </a>`,
    )}</div>
  </nav>`;
}

function Keys() {
  return html`<${Dialog} open=${helpOpen.value} title=${text.shell.keys} onClose=${() => (helpOpen.value = false)}>
    <table class="table">
      <tbody>
        ${text.shell.keyList.map(
          ([keys, what]) => html`<tr key=${keys}><th scope="row" class="mono">${keys}</th><td>${what}</td></tr>`,
        )}
      </tbody>
    </table>
    <label class="row">
      <input type="checkbox" checked=${keysOn.value} onChange=${(event) => switchKeys(event.target.checked)} />
      ${text.shell.keysOn}
    </label>
  <//>`;
}

function SignIn() {
  const [problem, setProblem] = useState(firstProblem);
  const [link, setLink] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    setProblem(await tryToEnter(link.trim().replace(/^.*#in=/, "")));
  };
  return html`<main class="splash">
    <form class="panel stack" onSubmit=${submit}>
      <h1>${text.shell.signedOut}</h1>
      <p>${text.shell.signedOutWhy}</p>
      ${problem ? html`<${ProblemNotice} problem=${problem} />` : html`<${Notice}>${text.shell.signInFix}<//>`}
      <label class="stack">
        ${text.shell.signInLabel}
        <input value=${link} onInput=${(event) => setLink(event.target.value)} autocomplete="off" spellcheck=${false} />
      </label>
      <button class="button main" disabled=${!link}>${text.shell.signIn}</button>
    </form>
  </main>`;
}

let firstProblem = null;

async function tryToEnter(code) {
  try {
    await enter(code);
    await begin();
    return null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return problem;
  }
}

async function begin() {
  await refresh();
  firstProblem = null; // of a link that was needed no more
  void connect();
}

// The way in: a link's code, which leaves the address at once, or the token of an earlier visit.
async function start() {
  const code = /^#in=(.+)$/.exec(location.hash)?.[1];
  if (code) {
    history.replaceState(null, "", location.pathname);
    route.value = { page: "", id: "", query: new URLSearchParams() };
    firstProblem = await tryToEnter(code);
    if (firstProblem === null) return;
  }
  try {
    if (hasToken()) await begin();
    else session.value = null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    firstProblem ??= problem.status === 401 ? null : problem;
    session.value = null;
  }
}

// A link that is opened in a tab of this page changes only the hash.
addEventListener("hashchange", () => location.hash.startsWith("#in=") && location.reload());

// Another tab has signed in.
addEventListener("storage", ({ key }) => {
  if (key === TOKEN && hasToken() && session.value === null) void start();
});

render(html`<${App} />`, document.getElementById("app"));
void start();
