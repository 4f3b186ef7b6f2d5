// Light, dark, or as the system says.

import { effect, signal } from "./dom.js";

const KEPT = "llcphone.theme";
const THEMES = ["auto", "light", "dark"];

export const theme = signal(THEMES.find((name) => name === localStorage.getItem(KEPT)) ?? "auto");

export function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  localStorage.setItem(KEPT, theme.value);
}

effect(() => {
  document.documentElement.style.colorScheme = theme.value === "auto" ? "light dark" : theme.value;
});
