// One telephone of the page: its socket, its sound, and what has happened on it.
//
// The lines live as long as the page: a call goes on while other pages of the console are looked at.

import { session, socketUrl } from "../api.js";
import { batch, computed, signal } from "../dom.js";
import * as text from "../text.js";
import * as sound from "./sound.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const REFUSED_RETRY_MS = 30_000;
const MOST_EVENTS = 200;
const CLOSED = 31921; // Twilio logs it for each stream that the server closes, also for a clean close (1000)

export class Line {
  constructor() {
    this.ready = signal(null); // what the network said when the socket opened
    this.state = signal("opening"); // opening | closed | refused | idle | calling | ringing | incoming | connected | over
    this.why = signal("");
    this.since = signal(0); // of the state "connected"
    this.lasted = signal(0); // seconds of the call that is over
    this.call = signal(""); // llcphone's id of the call
    this.numbers = signal({ from: "", to: "" }); // of the call, or of the next one
    this.question = signal(null); // a ring or dial that waits for an answer
    this.conference = signal("");
    this.events = signal([]); // {at, kind, text}: what the network says
    this.levels = signal({ mouth: 0, ear: 0 });
    this.stats = signal(null);
    this.gaps = signal([]); // {at, ms}: from mouth to ear, one for each answer that follows the microphone
    this.muted = signal(false);
    this.pressed = signal(""); // keys of this call
    this.said = signal(0); // how often a ready line was said
    this.active = signal(true); // the microphone and the loudspeaker are this line's
    this.busy = computed(() => ["calling", "ringing", "connected"].includes(this.state.value));
    this.worker = null;
    this.node = null;
    this.attempts = 0;
    this.stopTone = () => {};
  }

  // ---- the socket ---------------------------------------------------------------------------------

  async open() {
    clearTimeout(this.timer);
    if (session.value === null) return; // signed out
    this.closing = false;
    if (!this.worker) {
      this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
      this.worker.onmessage = ({ data }) => this.take(data);
    }
    try {
      this.worker.postMessage({ url: await socketUrl("line") });
    } catch {
      this.reopen(this.backOff());
    }
  }

  close() {
    clearTimeout(this.timer);
    this.closing = true;
    this.quiet();
    this.worker?.terminate();
    this.worker = null;
    this.ready.value = null;
    this.state.value = "closed";
  }

  reopen(wait) {
    if (!this.closing) this.timer = setTimeout(() => this.open(), wait * (0.5 + Math.random() / 2));
  }

  backOff() {
    return Math.min(FIRST_RETRY_MS * 2 ** this.attempts++, LAST_RETRY_MS);
  }

  take(said) {
    if (said.open) this.attempts = 0;
    if (said.closed !== undefined) this.lost();
    if (said.stats) this.stats.value = said.stats;
    if (said.message) this.show(said.message);
  }

  lost() {
    const opened = this.ready.value !== null;
    this.quiet();
    batch(() => {
      this.ready.value = null;
      this.question.value = null;
      this.state.value = opened ? "closed" : "refused";
    });
    this.reopen(opened ? this.backOff() : REFUSED_RETRY_MS);
  }

  send(event, fields = {}) {
    this.worker?.postMessage({ send: { event, ...fields } });
  }

  // ---- what the network says ------------------------------------------------------------------------

  show({ event, what, ...said }) {
    if (event !== "carrier") return;
    switch (what) {
      case "ready":
        batch(() => {
          this.ready.value = said;
          this.numbers.value = { from: said.from, to: said.number };
          this.state.value = "idle";
        });
        break;
      case "state":
        this.move(said);
        break;
      case "id":
        this.call.value = said.call;
        break;
      case "ring":
        batch(() => {
          this.question.value = { what, ...said };
          this.numbers.value = { from: said.from, to: said.to };
          this.state.value = "incoming";
        });
        this.tone("ring");
        break;
      case "dial":
        this.question.value = { what, ...said };
        break;
      case "stream":
        if (said.state === "started") this.question.value = null; // the transfer is over
        break;
      case "say":
        this.note("say", said.text);
        this.speakAloud(said.text);
        break;
      case "play":
        this.note("play", text.phone.played);
        break;
      case "record":
        this.note("record", text.phone.recording);
        this.tone("message");
        break;
      case "reject":
        this.note("reject", text.phone.rejected);
        this.tone("busy");
        break;
      case "whisper":
        this.note("whisper", text.phone.whisper(said.text));
        this.speakAloud(said.text);
        break;
      case "conference":
        this.conference.value = said.state;
        this.note("conference", text.phone.conference[said.state]);
        break;
      case "error":
        if (said.code === CLOSED && said.text.endsWith(" 1000")) break;
        this.note("error", text.phone.twilioError(said.code, said.text));
    }
  }

  move({ state, why }) {
    if (state === "ringing") {
      if (this.state.value !== "incoming") {
        this.state.value = "ringing";
        this.tone("ringback");
      }
      return;
    }
    this.stopTone();
    if (state === "connected") {
      batch(() => {
        this.question.value = null;
        this.state.value = "connected";
        this.since.value = Date.now();
      });
    } else if (state === "over") {
      batch(() => {
        this.lasted.value = this.state.value === "connected" ? (Date.now() - this.since.value) / 1000 : 0;
        this.question.value = null;
        this.conference.value = "";
        this.why.value = why;
        this.state.value = "over";
      });
      this.quiet();
    }
  }

  note(kind, words) {
    this.events.value = [...this.events.value, { at: Date.now(), kind, text: words }].slice(-MOST_EVENTS);
  }

  forget() {
    batch(() => {
      this.events.value = [];
      this.gaps.value = [];
      this.call.value = "";
      this.why.value = "";
      this.said.value = 0;
      this.pressed.value = "";
      this.conference.value = "";
    });
  }

  // ---- what the person does -------------------------------------------------------------------------

  // Inside a click, as sound and microphone need one.
  async dial(to = "") {
    if (this.busy.value || !this.ready.value) return;
    this.forget();
    this.numbers.value = { from: this.ready.value.from, to: to || this.ready.value.number };
    this.state.value = "calling";
    await this.pickUp();
    this.send("call", to ? { to } : {});
  }

  async answer(how) {
    const { call, what } = this.question.value;
    this.stopTone();
    if (what === "dial") {
      this.send("dial", { outcome: how });
      this.question.value = null;
      return;
    }
    if (how === "accept") {
      this.forget();
      await this.pickUp();
    }
    this.send(how, { call });
  }

  hangUp() {
    this.send("hangup");
  }

  press(digit) {
    this.send("dtmf", { dtmf: { digit } });
    this.pressed.value = (this.pressed.value + digit).slice(-16);
  }

  // A ready line is said by the network; in this page it counts as said from now on.
  say(name) {
    this.send("line", { name });
    const { ms = 0 } = this.ready.value.lines.find((line) => line.name === name) ?? {};
    this.node?.port.postMessage({ says: ms });
    this.said.value++;
  }

  speak(words) {
    this.send("speak", { text: words });
  }

  mute(on) {
    this.muted.value = on;
    this.tellSound();
  }

  activate(on) {
    this.active.value = on;
    this.tellSound();
  }

  // ---- sound ----------------------------------------------------------------------------------------

  async pickUp() {
    try {
      const context = await sound.wake(this);
      if (!this.node) {
        this.node = new AudioWorkletNode(context, "telephone", {
          outputChannelCount: [1],
          channelCount: 1,
          channelCountMode: "explicit",
        });
        this.node.port.onmessage = ({ data }) => this.hear(data);
        this.ear = new GainNode(context);
        this.node.connect(this.ear).connect(context.destination);
        const { port1, port2 } = new MessageChannel();
        this.node.port.postMessage({ worker: port1 }, [port1]);
        this.worker.postMessage({ sound: port2 }, [port2]);
      }
      this.tellSound();
      if (sound.source.value === "microphone") {
        (await sound.openMicrophone())?.connect(this.node);
      }
    } catch (error) {
      sound.trouble.value = error.name;
    }
    if (sound.source.value === "microphone" && sound.trouble.value) sound.source.value = "lines";
  }

  // The call is over: the devices are let go, and the next call has a telephone of its own.
  quiet() {
    this.stopTone();
    globalThis.speechSynthesis?.cancel();
    if (this.node) {
      this.node.port.postMessage({ close: true });
      this.node.disconnect();
      this.node = null;
      this.worker?.postMessage({ silent: true });
    }
    this.levels.value = { mouth: 0, ear: 0 };
    sound.rest(this);
  }

  // The voice comes from somewhere else from now on.
  async changeSource() {
    if (!this.node) return;
    sound.stopFile();
    if (sound.source.value === "microphone") (await sound.openMicrophone())?.connect(this.node);
    else sound.closeMicrophone();
  }

  tellSound() {
    if (!this.node) return;
    const [muted, half] = [this.muted.value || !this.active.value, sound.half.value];
    this.node.port.postMessage({ muted, half, latency: sound.latency.value });
    this.ear.gain.value = this.active.value ? 1 : 0;
  }

  hear(said) {
    if (said.levels) {
      this.levels.value = said.levels;
      this.tellSound(); // the latency may have changed
    }
    if (said.gap !== undefined) this.gaps.value = [...this.gaps.value, { at: Date.now(), ms: said.gap }];
  }

  tone(name) {
    this.stopTone();
    this.stopTone = sound.playTone(name);
  }

  speakAloud(words) {
    if (!this.active.value || !globalThis.speechSynthesis || !sound.isAwake()) return;
    speechSynthesis.speak(new SpeechSynthesisUtterance(words));
  }
}
