// Loaded into the audio thread before the telephone's own module, and tells what the telephone there does:
// {took} for each message of the worker, in order with its own; {cut} and {block} only by the page's port.
const register = globalThis.registerProcessor;

globalThis.registerProcessor = (name, Telephone) =>
  register(
    name,
    class extends Telephone {
      take(said) {
        if (said.clear) this.port.postMessage({ cut: { ...this.now(), latency: this.latency } });
        super.take(said);
        if (said.sync) this.worker.postMessage({ took: this.now() });
      }

      now() {
        const { written, queued, marks, rendered, underruns } = this.playout;
        return { played: written - queued, idle: queued + marks.length + rendered.length === 0, underruns };
      }

      process(inputs, outputs) {
        const open = super.process(inputs, outputs);
        this.port.postMessage({ block: outputs[0][0].slice() });
        return open;
      }
    },
  );
