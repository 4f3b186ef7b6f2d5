// How much of the loudspeaker the microphone hears, after the browser's echo canceller.
//
// Chirps are played, and looked for in what the microphone brought. What remains decides whether one may speak
// freely: an agent that hears itself interrupts itself.

import * as sound from "./sound.js";

const CHIRPS = 3; // the echo canceller settles on the first ones; the last one counts
const CHIRP_S = 0.06;
const FROM_HZ = 800;
const TO_HZ = 3000;
const LEVEL = 0.25;
const WAIT_S = 0.45; // for the sound to come back
const WINDOW = 32768; // the most that an analyser keeps: 0.7 s

export const LEAK_DB = -35; // less than this disturbs nobody

// {leak (dB of what was played), delay (ms there and back)}; null: no microphone, and `trouble` says why.
export async function checkSound() {
  const user = {};
  const context = await sound.wake(user);
  try {
    const microphone = await sound.openMicrophone();
    if (microphone === null) return null;
    const analyser = new AnalyserNode(context, { fftSize: WINDOW });
    microphone.connect(analyser);
    const chirp = makeChirp(context.sampleRate);
    for (let n = 1; n < CHIRPS; n++) await listen(context, analyser, chirp);
    const { heard, from } = await listen(context, analyser, chirp);
    analyser.disconnect();
    const [share, at] = find(chirp, heard, from);
    return { leak: 20 * Math.log10(share + 1e-9), delay: ((at - from) / context.sampleRate) * 1000 };
  } finally {
    sound.rest(user);
  }
}

// Play it once: what the microphone brought, and from where on the chirp may be in it.
async function listen(context, analyser, chirp) {
  const buffer = new AudioBuffer({ length: chirp.length, sampleRate: context.sampleRate });
  buffer.copyToChannel(chirp, 0);
  const node = new AudioBufferSourceNode(context, { buffer });
  node.connect(context.destination);
  const begin = context.currentTime + 0.02;
  node.start(begin);
  await new Promise((done) => setTimeout(done, (CHIRP_S + WAIT_S) * 1000));
  const heard = new Float32Array(WINDOW);
  analyser.getFloatTimeDomainData(heard);
  const oldest = context.currentTime - WINDOW / context.sampleRate;
  return { heard, from: Math.max(0, Math.round((begin - oldest) * context.sampleRate)) };
}

// The largest share of `wanted` in `heard`, and where it begins.
export function find(wanted, heard, from = 0) {
  const energy = wanted.reduce((sum, sample) => sum + sample * sample, 0);
  let best = 0;
  let at = from;
  for (let start = from; start + wanted.length <= heard.length; start++) {
    let sum = 0;
    for (let k = 0; k < wanted.length; k++) sum += wanted[k] * heard[start + k];
    if (Math.abs(sum) > best) [best, at] = [Math.abs(sum), start];
  }
  return [best / energy, at];
}

export function makeChirp(rate) {
  const length = Math.round(CHIRP_S * rate);
  return Float32Array.from({ length }, (_, k) => {
    const at = k / rate;
    const phase = 2 * Math.PI * (FROM_HZ * at + ((TO_HZ - FROM_HZ) * at * at) / (2 * CHIRP_S));
    return LEVEL * Math.sin(phase) * Math.sin((Math.PI * k) / length) ** 2;
  });
}
