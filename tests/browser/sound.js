// In the page: its own modules without a device. An OfflineAudioContext renders as fast as it can and counts no time.
(() => {
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const textOf = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

  const tick = () => new Promise((done) => setTimeout(done, 100)); // what was posted has arrived

  async function telephone(rate, seconds, messages = []) {
    const context = new OfflineAudioContext(1, Math.round(rate * seconds), rate);
    await context.audioWorklet.addModule("/web/audio/worklet.js");
    const node = new AudioWorkletNode(context, "telephone", { outputChannelCount: [1] });
    node.connect(context.destination);
    const { port1, port2: worker } = new MessageChannel();
    node.port.postMessage({ worker: port1 }, [port1]);
    void context.suspend(0).then(async () => {
      for (const message of messages) worker.postMessage(message);
      await tick();
      void context.resume();
    });
    return { context, node, worker };
  }

  // Band-limited, from one rate to another: a sinc with 32 zero crossings on each side.
  function resample(samples, from, to) {
    const band = Math.min(1, to / from);
    const half = 32 / band;
    return Float32Array.from({ length: Math.floor((samples.length * to) / from) }, (_, n) => {
      const at = (n * from) / to;
      let sum = 0;
      for (let k = Math.max(0, Math.ceil(at - half)); k <= Math.min(samples.length - 1, at + half); k++) {
        const x = Math.PI * (at - k);
        sum += samples[k] * band * (x === 0 ? 1 : Math.sin(x * band) / (x * band)) * (0.5 + 0.5 * Math.cos(x / half));
      }
      return sum;
    });
  }

  // The frames that are sent while something is spoken: samples at 8 kHz, or a tone at half the range.
  async function speak({ rate, seconds, samples, tone }) {
    const { context, node, worker } = await telephone(rate, seconds);
    const frames = [];
    const wanted = Math.floor((seconds - 0.01) * 50);
    const all = new Promise((done) => {
      worker.onmessage = ({ data }) => data instanceof Uint8Array && frames.push(textOf(data)) === wanted && done();
    });
    let source = new OscillatorNode(context, { frequency: tone ?? 1 });
    if (samples) {
      const speech = resample(samples.map((sample) => sample / 32768), 8000, rate);
      const buffer = new AudioBuffer({ length: speech.length, sampleRate: rate });
      buffer.copyToChannel(speech, 0);
      source = new AudioBufferSourceNode(context, { buffer });
    }
    source.connect(new GainNode(context, { gain: samples ? 1 : 0.5 })).connect(node);
    source.start();
    await context.startRendering();
    await all;
    return frames;
  }

  // What is heard, at 8 kHz, when all of this arrives at once: pieces of audio, and {mark}; `clear` comes at a time.
  async function play({ rate, seconds, pieces, clear }) {
    const messages = pieces.map((piece) => (piece.mark ? piece : bytesOf(piece)));
    const { context, worker } = await telephone(rate, seconds, messages);
    const marks = [];
    let told;
    const allTold = new Promise((done) => (told = done));
    const wanted = pieces.filter((piece) => piece.mark).length;
    worker.onmessage = ({ data }) => data.marks && marks.push(...data.marks) === wanted && told();
    let before = null;
    if (clear) {
      void context.suspend(clear).then(async () => {
        await tick();
        before = marks.length;
        worker.postMessage({ clear: true });
        await allTold;
        void context.resume();
      });
    }
    const buffer = await context.startRendering();
    await allTold;
    const heard = buffer.getChannelData(0);
    const samples = Array.from(resample(heard, rate, 8000), (sample) => Math.round(sample * 32768));
    const from = Math.ceil((clear ?? 0) * rate);
    const loud = heard.findLastIndex((sample) => Math.abs(sample) > 1e-4);
    return { samples, marks, before, quiet_ms: (1000 * (loud + 1 - from)) / rate };
  }

  // What was played, at 8 kHz, as listening.js has kept it.
  function played() {
    const { blocks, rate } = window.seen;
    const samples = new Float32Array(blocks.length * 128);
    blocks.forEach((block, number) => samples.set(block, number * 128));
    return Array.from(resample(samples, rate, 8000), (sample) => Math.round(sample * 32768));
  }

  return { speak, play, played };
})()
