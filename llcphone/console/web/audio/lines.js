// The lines of this page. The second one opens while the first one holds a call: it is the colleague's.

import { session } from "../api.js";
import { NO_CONVERSATION, follow } from "../conversation.js";
import { computed, effect, signal, untracked } from "../dom.js";
import { Line } from "./line.js";

export const lines = [new Line(), new Line()];
export const current = signal(0); // whose microphone and loudspeaker they are
export const conversation = signal(NO_CONVERSATION); // of the first line's call; it stays until the next one

let begun = false;

export function openLines() {
  if (begun) return;
  begun = true;
  const signedIn = computed(() => session.value !== null);
  effect(() => {
    if (signedIn.value) untracked(() => lines[0].ready.value === null && void lines[0].open());
  });
  effect(() => {
    const call = lines[0].call.value;
    untracked(() => {
      conversation.value.stop();
      conversation.value = call ? follow(call, conversation.value) : NO_CONVERSATION;
    });
  });
  effect(() => {
    const needed = lines[0].state.value === "connected" || lines[1].busy.value;
    untracked(() => {
      if (needed && !lines[1].worker) void lines[1].open();
      if (!needed && lines[1].worker) lines[1].close();
    });
  });
  effect(() => {
    const index = lines[1].state.value === "connected" ? 1 : lines[1].busy.value ? current.peek() : 0;
    untracked(() => choose(index));
  });
}

export function choose(index) {
  if (current.peek() === index) return;
  current.value = index;
  lines.forEach((line, number) => line.activate(number === index));
}
