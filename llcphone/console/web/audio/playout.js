// What the telephone plays: bytes in, samples out, and each mark when its audio has been heard.
//
// The server sends far ahead of real time, so the queue runs empty only where the agent ends. A mark is a
// position in what was written. Its audio has been *heard* when it has left the loudspeaker: `latency` after it
// was rendered. After a clear nothing of what waited is heard, and its marks are due at once, as Twilio does.

import { DECODED } from "./codec.js";

const RATE = 8000;
const MOST = RATE * 600; // Twilio's buffer holds ten minutes
const FADE = RATE * 0.004;
const FIRST_WAIT = RATE * 0.04; // queued before playing begins
const LATEST = RATE * 0.06; // after the first byte it begins whatever is queued
const STEP = RATE * 0.02; // added to both for each underrun
const MOST_WAIT = RATE * 0.2;
const QUIET = RATE * 60; // without an underrun: a step less
const GAP = RATE * 0.3; // an end that is followed by more within it was an underrun

export class Playout {
  constructor() {
    this.chunks = [];
    this.offset = 0; // read of the first chunk
    this.queued = 0;
    this.written = 0;
    this.marks = []; // [position, name], not rendered yet
    this.rendered = []; // [heard at (samples of the clock), name]
    this.clock = 0; // samples rendered, silence included
    this.playing = false;
    this.firstAt = 0; // when what waits began to arrive
    this.markedTo = 0; // where the last mark stands
    this.endedAt = -Infinity; // when the queue ran empty without a mark behind its last sample
    this.fade = new Float32Array(FADE);
    this.fading = FADE;
    this.last = 0;
    this.wait = FIRST_WAIT;
    this.waitSetAt = 0;
    this.underruns = 0;
  }

  write(bytes) {
    if (this.queued + bytes.length > MOST) return;
    if (this.queued === 0 && !this.playing) {
      this.firstAt = this.clock;
      if (this.clock - this.endedAt < GAP) this.underrun();
    }
    this.chunks.push(bytes);
    this.queued += bytes.length;
    this.written += bytes.length;
  }

  mark(name) {
    this.marks.push([this.written, name]);
    this.markedTo = this.written;
    if (this.queued === 0) this.endedAt = -Infinity; // the end was meant
  }

  // Drops what waits; the names of all marks that have not been heard.
  clear() {
    const names = [...this.rendered, ...this.marks].map(([, name]) => name);
    this.forget();
    return names;
  }

  // Drops what waits, marks too.
  forget() {
    this.fadeOut();
    this.chunks = [];
    this.offset = this.queued = 0;
    this.marks = [];
    this.rendered = [];
    this.endedAt = -Infinity;
  }

  // The next sample.
  next(latency) {
    this.clock++;
    if (!this.playing && this.queued > 0) {
      this.playing = this.queued >= this.wait || this.clock - this.firstAt >= this.wait + LATEST - FIRST_WAIT;
    }
    let sample = 0;
    if (this.playing && this.queued > 0) {
      sample = this.last = this.read();
    } else {
      if (this.playing) {
        this.endedAt = this.markedTo === this.written ? -Infinity : this.clock;
        this.fadeOut();
      }
      if (this.fading < FADE) sample = this.fade[this.fading++];
    }
    const position = this.written - this.queued;
    while (this.marks.length > 0 && this.marks[0][0] <= position) {
      this.rendered.push([this.clock + latency * RATE, this.marks.shift()[1]]);
    }
    return sample;
  }

  // The names of the marks that have been heard since it was asked last.
  heard() {
    const names = [];
    while (this.rendered.length > 0 && this.rendered[0][0] <= this.clock) names.push(this.rendered.shift()[1]);
    return names;
  }

  read() {
    const chunk = this.chunks[0];
    const sample = DECODED[chunk[this.offset++]];
    this.queued--;
    if (this.offset === chunk.length) {
      this.chunks.shift();
      this.offset = 0;
    }
    return sample;
  }

  // What is played next goes down to nothing: no click.
  fadeOut() {
    if (!this.playing) return;
    this.playing = false;
    let sample = this.last;
    for (let k = 0; k < FADE; k++) {
      if (this.queued > 0) sample = this.read();
      this.fade[k] = sample * (1 - (k + 1) / FADE);
    }
    this.fading = 0;
  }

  underrun() {
    this.underruns++;
    this.wait = Math.min(this.wait + STEP, MOST_WAIT);
    this.waitSetAt = this.clock;
  }

  // Called now and then: after a quiet minute less has to wait.
  relax() {
    if (this.wait > FIRST_WAIT && this.clock - this.waitSetAt > QUIET) {
      this.wait -= STEP;
      this.waitSetAt = this.clock;
    }
  }
}
