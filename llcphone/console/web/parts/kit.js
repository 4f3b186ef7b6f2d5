// Pieces that several pages use.

import { html, useEffect, useRef } from "../dom.js";
import * as text from "../text.js";

// A modal <dialog>: Escape closes it, and the focus goes back to where it was.
export function Dialog({ open, title, onClose, children }) {
  const dialog = useRef(null);
  const closing = useRef(0); // Close events of our own: one comes late, perhaps when the dialog is open again.
  useEffect(() => {
    if (open && !dialog.current.open) dialog.current.showModal();
    if (!open && dialog.current.open) {
      closing.current++;
      dialog.current.close();
    }
  }, [open]);
  const closed = () => (closing.current ? closing.current-- : onClose());
  return html`<dialog ref=${dialog} class="dialog" onClose=${closed} aria-label=${title}>
    <header class="row">
      <h2 class="grow">${title}</h2>
      <button type="button" class="button quiet" aria-label=${text.shell.close} onClick=${onClose}>✕</button>
    </header>
    ${open && children}
  </dialog>`;
}

export function Notice({ kind = "info", children }) {
  return html`<div class="notice ${kind}" role=${kind === "bad" ? "alert" : "status"}>${children}</div>`;
}

export function ProblemNotice({ problem }) {
  if (!problem) return null;
  return html`<${Notice} kind="bad">
    <strong>${problem.message}</strong>
    ${problem.fix && html` <span>${text.shell.fix} ${problem.fix}</span>`}
  <//>`;
}

// `page`: there is nothing else on the page, so this is its heading.
export function Empty({ title, page = false, children }) {
  return html`<div class="empty">${page ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}${children}</div>`;
}

// What is wrong is all that the page has.
export function PageProblem({ problem, children }) {
  return html`<${Empty} page title=${problem.message}>
    ${problem.fix && html`<p>${text.shell.fix} ${problem.fix}</p>`}
    ${children}
  <//>`;
}

// A level from 0 to 1.
export function Meter({ label, value, kind = "" }) {
  const shown = Math.max(0, Math.min(1, value));
  return html`<div class="meter ${kind}">
    <span class="soft">${label}</span>
    <div class="meter-track"><div class="meter-level" style=${{ transform: `scaleX(${shown})` }}></div></div>
  </div>`;
}
