// In the page: what its first line sends, is told, and plays. Needs a page that lets a worklet come from a blob.
async () => {
  const { lines } = await import("/web/audio/lines.js");
  const tap = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([[ear]]) {
      this.port.postMessage(ear === undefined ? new Float32Array(128) : ear.slice());
      return true;
    }
  })`;
  const line = lines[0];
  const seen = { line, messages: [], blocks: [], spans: [], samples: 0 };
  line.worker.addEventListener("message", ({ data }) => data.stats || seen.messages.push(data));

  // From now on what it plays is kept: inside a call.
  seen.listen = async () => {
    const { context } = line.ear;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([tap], { type: "text/javascript" })));
    const node = new AudioWorkletNode(context, "tap");
    line.ear.connect(node);
    node.port.onmessage = ({ data }) => hear(data);
    seen.rate = context.sampleRate;
  };

  // Each thing that is played, from its first loud sample to its last; a pause of 600 ms ends it.
  function hear(block) {
    seen.blocks.push(block);
    for (const sample of block) {
      const at = seen.samples++ / seen.rate;
      if (Math.abs(sample) < 1e-3) continue;
      if (seen.spans.length === 0 || at - seen.spans.at(-1)[1] > 0.6) seen.spans.push([at, at]);
      seen.spans.at(-1)[1] = at;
    }
  }
  seen.heard = (index) => (seen.spans[index] ? seen.spans[index][1] - seen.spans[index][0] : 0);

  // Nothing else happens in the page meanwhile.
  seen.block = (ms) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };
  window.seen = seen;
}
