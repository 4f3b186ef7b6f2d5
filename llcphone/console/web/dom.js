// What the pages are made of: Preact, its hooks and signals, and templates by htm.

import htm from "./vendor/htm.js";
import { Component, h, render } from "./vendor/preact.js";

export { Component, render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { batch, computed, effect, signal, untracked } from "./vendor/signals-core.js";
export { useComputed, useSignal, useSignalEffect } from "./vendor/signals.js";

export const html = htm.bind(h);
