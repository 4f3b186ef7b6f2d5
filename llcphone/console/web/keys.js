// Keys of the page. Off while one types, with a modifier, and where they are switched off (WCAG 2.1.4).

import { signal } from "./dom.js";

const SWITCH = "llcphone.keys";

export const keysOn = signal(localStorage.getItem(SWITCH) !== "off");
const maps = []; // the newest first
let prefix = "";
let prefixAt = 0;

export function switchKeys(on) {
  keysOn.value = on;
  localStorage.setItem(SWITCH, on ? "on" : "off");
}

// Keys and what they do, such as {"m": mute, "g p": goToPhone}; a function that returns false passes the key on.
// Returns what removes them.
export function registerKeys(map) {
  maps.unshift(map);
  return () => maps.splice(maps.indexOf(map), 1);
}

addEventListener("keydown", (event) => {
  if (!keysOn.value || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest?.("input:not([type=radio], [type=checkbox], [type=range]), textarea, select, dialog")) return;
  if (event.key === " " && event.target.closest?.("button, a, summary, input")) return; // presses it
  const first = prefix && event.timeStamp - prefixAt < 1500 ? `${prefix} ` : "";
  prefix = "";
  for (const map of maps) {
    const action = map[first + event.key];
    if (action && action(event) !== false) {
      event.preventDefault();
      return;
    }
  }
  if (event.key === "g") {
    prefix = "g";
    prefixAt = event.timeStamp;
  }
});
