// In the page: what its first line plays, is told, and counts. Needs a page that lets a worklet come from a blob.
async (spy) => {
  const { lines } = await import("/web/audio/lines.js");
  const line = lines[0];
  const seen = { line, messages: [], blocks: [], spans: [], samples: 0 };
  line.worker.addEventListener("message", ({ data }) => data.stats || seen.messages.push(data));

  const { addModule } = AudioWorklet.prototype;
  AudioWorklet.prototype.addModule = async function (url) {
    await addModule.call(this, URL.createObjectURL(new Blob([spy], { type: "text/javascript" })));
    await addModule.call(this, url);
  };

  // From now on what it plays is kept: inside a call.
  seen.listen = () => {
    seen.rate = line.node.context.sampleRate;
    line.node.port.addEventListener("message", ({ data }) => data.block && hear(data.block));
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
