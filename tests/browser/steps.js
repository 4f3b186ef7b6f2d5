// In the page: the telephone of the audio thread without a device, a step of audio at a time. No time is counted.
async ({ spy, rate, step, seconds, latency, half, tone }) => {
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const context = new OfflineAudioContext(1, Math.round(rate * seconds), rate);
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([spy], { type: "text/javascript" })));
  await context.audioWorklet.addModule("/web/audio/worklet.js");
  const node = new AudioWorkletNode(context, "telephone", { outputChannelCount: [1] });
  node.connect(context.destination);
  const { port1, port2: worker } = new MessageChannel();
  node.port.postMessage({ worker: port1, latency, half }, [port1]);
  if (tone) {
    const voice = new OscillatorNode(context, { frequency: tone });
    voice.connect(node);
    voice.start();
  }

  const seen = { cuts: [], frames: [] };
  node.port.onmessage = ({ data: { cut } }) => cut && seen.cuts.push(cut);
  let marks = [];
  let inStep = () => {};
  worker.onmessage = ({ data }) => {
    if (data instanceof Uint8Array) seen.frames.push(btoa(String.fromCharCode(...data)));
    if (data.marks) marks.push(...data.marks);
    if (data.took) inStep(data.took);
  };
  // Both have what the other one sent.
  const sync = () =>
    new Promise((done) => {
      inStep = done;
      worker.postMessage({ sync: true });
    });

  let at = 0;
  let stopped = context.suspend(0);
  void context.startRendering();
  await stopped;

  // Takes pieces of audio, {mark} and {clear}, and plays for a step: how it stands then, and the marks that came back.
  seen.step = async (messages) => {
    for (const message of messages) worker.postMessage(typeof message === "string" ? bytesOf(message) : message);
    await sync();
    at += step;
    stopped = context.suspend(at);
    void context.resume();
    await stopped;
    return { ...(await sync()), marks: marks.splice(0) };
  };

  // The same for [ms, message] in the order in which they come, until all is heard.
  seen.run = async (timed) => {
    const coming = [...timed];
    const heard = [];
    let now = 0;
    let last;
    do {
      const due = coming.findIndex(([at]) => at > now);
      last = await seen.step(coming.splice(0, due === -1 ? coming.length : due).map(([, message]) => message));
      heard.push(...last.marks);
      now += 1000 * step;
    } while (coming.length > 0 || !last.idle);
    return { ...last, marks: heard };
  };
  window.telephone = seen;
}
