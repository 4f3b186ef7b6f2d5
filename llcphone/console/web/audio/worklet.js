// The telephone in the audio thread: the microphone becomes frames of 20 ms, and what the server sends is played.
// Its clock is never slowed down, so frames and marks do not depend on what the page does.
//
// To and from the worker: frames (bytes), {marks: [name]}, {stats}. To the page: levels, gaps between turns.

import { Resampler, SILENCE, encode } from "./codec.js";
import { Playout } from "./playout.js";
import { Turns } from "./turns.js";

const RATE = 8000;
const FRAME = 160;
const LEVELS_S = 0.1;
const STATS_S = 0.5;
const LOUD = 0.02; // a peak of the agent's voice
const TAIL_S = 0.2; // of the room
const VOICE = 0.1; // of a ready line, which is not heard here

class Telephone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.up = new Resampler(sampleRate, RATE);
    this.down = new Resampler(RATE, sampleRate);
    this.narrow = new Float32Array(256); // of one block of the microphone
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.played = new Float32Array(256 + Math.ceil(sampleRate / RATE)); // not given out yet
    this.ready = 0;
    this.playout = new Playout();
    this.turns = new Turns(sampleRate);
    this.latency = 0;
    this.muted = false;
    this.says = 0; // samples of ready lines that the network still says, for this mouth
    this.half = false; // half duplex: the microphone is off while the agent is heard
    this.loudUntil = 0; // of the ear
    this.open = true;
    this.loudest = { mouth: 0, ear: 0 };
    this.levelsIn = this.statsIn = 0; // samples until they are told again
    this.port.onmessage = ({ data }) => this.obey(data);
  }

  obey(said) {
    if (said.worker) {
      this.worker = said.worker;
      this.worker.onmessage = ({ data }) => this.take(data);
    }
    if (said.latency !== undefined) this.latency = said.latency;
    if (said.muted !== undefined) this.muted = said.muted;
    if (said.half !== undefined) this.half = said.half;
    if (said.says) this.says += (said.says * sampleRate) / 1000;
    if (said.close) this.open = false;
  }

  take(said) {
    if (said instanceof Uint8Array) this.playout.write(said);
    else if (said.mark !== undefined) this.playout.mark(said.mark);
    else if (said.clear) this.tell(this.playout.clear());
    else if (said.forget) this.playout.forget();
  }

  process([[microphone]], [[speaker]]) {
    const size = speaker.length;
    this.speak(microphone, size);
    this.play(speaker);
    this.tell(this.playout.heard());
    this.measure(microphone, speaker);
    return this.open;
  }

  speak(microphone, size) {
    let count = 0;
    const off = microphone === undefined || this.muted || (this.half && currentTime < this.loudUntil);
    for (let k = 0; k < size; k++) count = this.up.push(off ? 0 : microphone[k], this.narrow, count);
    for (let k = 0; k < count; k++) {
      this.frame[this.filled++] = this.muted ? SILENCE : encode(this.narrow[k]);
      if (this.filled === FRAME) {
        this.worker?.postMessage(this.frame, [this.frame.buffer]);
        this.frame = new Uint8Array(FRAME);
        this.filled = 0;
      }
    }
  }

  play(speaker) {
    const size = speaker.length;
    while (this.ready < size) this.ready = this.down.push(this.playout.next(this.latency), this.played, this.ready);
    speaker.set(this.played.subarray(0, size));
    this.played.copyWithin(0, size, this.ready);
    this.ready -= size;
  }

  tell(marks) {
    if (marks.length > 0) this.worker?.postMessage({ marks });
  }

  measure(microphone, speaker) {
    for (let k = 0; k < speaker.length; k++) {
      const own = microphone === undefined || this.muted ? 0 : microphone[k];
      const mouth = this.says > 0 ? VOICE : own;
      if (this.says > 0) this.says--;
      if (Math.abs(speaker[k]) > LOUD) this.loudUntil = currentTime + this.latency + TAIL_S;
      this.loudest.mouth = Math.max(this.loudest.mouth, Math.abs(mouth));
      this.loudest.ear = Math.max(this.loudest.ear, Math.abs(speaker[k]));
      const gap = this.turns.take(mouth, speaker[k]);
      if (gap >= 0) this.port.postMessage({ gap: gap + this.latency * 1000 });
    }
    if ((this.levelsIn -= speaker.length) <= 0) {
      this.port.postMessage({ levels: this.loudest });
      this.loudest = { mouth: 0, ear: 0 };
      this.levelsIn += LEVELS_S * sampleRate;
    }
    if ((this.statsIn -= speaker.length) <= 0) {
      const { queued, underruns } = this.playout;
      const stats = { queued_ms: queued / 8, underruns, out_latency_ms: this.latency * 1000 };
      this.worker?.postMessage({ stats });
      this.playout.relax();
      this.statsIn += STATS_S * sampleRate;
    }
  }
}

registerProcessor("telephone", Telephone);
