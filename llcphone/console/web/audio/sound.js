// The devices: one AudioContext, at the device's own rate, and what the caller speaks with.

import { signal } from "../dom.js";

export const source = signal("microphone"); // microphone | lines | file | text
export const trouble = signal(""); // the name of the error that keeps the microphone or the sound away
export const devices = signal({ inputs: [], outputs: [] });
export const chosen = { input: signal(""), output: signal("") };
export const processing = signal(true); // echo cancellation, noise suppression, gain
export const half = signal(false); // half duplex, for loudspeakers that the echo canceller does not master
export const latency = signal(0); // seconds from rendering to the loudspeaker

let context = null;
let loaded = null;
let microphone = null; // {stream, node}
let playing = null; // the file's node
const users = new Set(); // who needs the context to run

const LATENCY_MS = 500;
setInterval(() => {
  if (context?.state === "running") latency.value = context.outputLatency || context.baseLatency || 0;
}, LATENCY_MS);

// The running context. Must begin inside a click, or the browser keeps it silent.
export async function wake(user) {
  if (!globalThis.AudioContext?.prototype || !globalThis.AudioWorkletNode) throw named("InsecureError");
  users.add(user);
  context ??= new AudioContext({ latencyHint: "interactive" });
  loaded ??= context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
  await Promise.all([context.resume(), loaded]);
  if (chosen.output.value && context.setSinkId) await context.setSinkId(chosen.output.value).catch(() => {});
  return context;
}

// Without users the devices are let go.
export function rest(user) {
  users.delete(user);
  if (users.size > 0) return;
  closeMicrophone();
  stopFile();
  void context?.suspend();
}

export const isAwake = () => context?.state === "running";

// The node that the microphone's sound comes from; null if there is none, and `trouble` says why.
export async function openMicrophone() {
  if (microphone) return microphone.node;
  try {
    if (!navigator.mediaDevices) throw named("InsecureError");
    const on = processing.value;
    const audio = { channelCount: 1, echoCancellation: on, noiseSuppression: on, autoGainControl: on };
    if (chosen.input.value) audio.deviceId = { exact: chosen.input.value };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    microphone = { stream, node: context.createMediaStreamSource(stream) };
    trouble.value = "";
    void listDevices();
    return microphone.node;
  } catch (error) {
    trouble.value = error.name;
    return null;
  }
}

export function closeMicrophone() {
  microphone?.node.disconnect();
  microphone?.stream.getTracks().forEach((track) => track.stop());
  microphone = null;
}

// A file becomes a node that plays it once; `onEnd` when it is over. Null if it holds no sound.
export async function playFile(file, target, onEnd) {
  stopFile();
  try {
    const node = context.createBufferSource();
    node.buffer = await context.decodeAudioData(await file.arrayBuffer());
    node.onended = onEnd;
    node.connect(target);
    node.start();
    playing = node;
    trouble.value = "";
    return node;
  } catch (error) {
    trouble.value = error.name;
    return null;
  }
}

export function stopFile() {
  playing?.disconnect();
  playing?.stop();
  playing = null;
}

export async function listDevices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind) => all.filter((device) => device.kind === kind && device.deviceId && device.label);
  devices.value = { inputs: of("audioinput"), outputs: context?.setSinkId ? of("audiooutput") : [] };
}
navigator.mediaDevices?.addEventListener("devicechange", listDevices);

export async function chooseOutput(id) {
  chosen.output.value = id;
  await context?.setSinkId?.(id);
}

const TONES = { ringback: [440, 480], ring: [880, 988], busy: [480, 620], message: [1000] };
const RHYTHM_S = { ringback: [1, 3], ring: [0.8, 1.6], busy: [0.5, 0.5], message: [0.4, Infinity] };

// A tone of the network, until the returned function is called. It also lets the echo canceller settle.
export function playTone(name) {
  if (!isAwake()) return () => {};
  const gain = new GainNode(context, { gain: 0 });
  gain.connect(context.destination);
  const tones = TONES[name].map((frequency) => new OscillatorNode(context, { frequency }));
  for (const tone of tones) {
    tone.connect(gain);
    tone.start();
  }
  const [on, off] = RHYTHM_S[name];
  const begin = context.currentTime;
  for (let at = 0; at < (off === Infinity ? 1 : 60); at += on + off) {
    gain.gain.setTargetAtTime(0.05, begin + at, 0.01);
    gain.gain.setTargetAtTime(0, begin + at + on, 0.01);
  }
  return () => {
    for (const tone of tones) tone.stop();
    gain.disconnect();
  };
}

function named(name) {
  const error = new Error(name);
  error.name = name;
  return error;
}
