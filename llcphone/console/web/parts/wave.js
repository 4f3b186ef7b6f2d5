// The recording of a call: two channels of µ-law in a WAV file, caller and agent. Peaks come from a table of 256
// entries, so an hour takes a moment and no server.

const LOUD = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  return ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) / 32768 - 0x84 / 32768;
});

export const PEAK_MS = 10;

// {caller, agent: loudness 0..1 for each PEAK_MS, seconds}; throws where it is no such file.
export function peaksOf(buffer) {
  const { data, rate, channels } = dataOf(buffer);
  const step = Math.round((rate * PEAK_MS) / 1000);
  const count = Math.ceil(data.length / channels / step);
  const peaks = Array.from({ length: channels }, () => new Float32Array(count));
  for (let at = 0, index = 0; index < count; index++) {
    const end = Math.min(data.length, at + step * channels);
    for (; at + channels <= end; at += channels) {
      for (let channel = 0; channel < channels; channel++) {
        const loud = LOUD[data[at + channel]];
        if (loud > peaks[channel][index]) peaks[channel][index] = loud;
      }
    }
  }
  return { caller: peaks[0], agent: peaks[1] ?? peaks[0], seconds: data.length / channels / rate };
}

function dataOf(buffer) {
  const view = new DataView(buffer);
  const word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") throw new Error("this is no WAV file");
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    if (word(at) === "fmt ") {
      format = { tag: view.getUint16(at + 8, true), channels: view.getUint16(at + 10, true), rate: view.getUint32(at + 12, true) };
    } else if (word(at) === "data" && format !== null) {
      if (format.tag !== 7) throw new Error("this WAV file is not µ-law");
      return { ...format, data: new Uint8Array(buffer, at + 8, Math.min(size, buffer.byteLength - at - 8)) };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error("this WAV file has no sound");
}

// The outline of the peaks between two times, as points of an SVG polygon `width` wide around `middle`.
export function outline(peaks, fromMs, toMs, width, middle, half) {
  const step = Math.max(1, width / ((toMs - fromMs) / PEAK_MS));
  const above = [];
  for (let x = 0; x < width; x += step) {
    const first = Math.floor((fromMs + (x / width) * (toMs - fromMs)) / PEAK_MS);
    const last = Math.max(first + 1, Math.floor((fromMs + ((x + step) / width) * (toMs - fromMs)) / PEAK_MS));
    let loud = 0;
    for (let at = Math.max(0, first); at < Math.min(last, peaks.length); at++) loud = Math.max(loud, peaks[at]);
    above.push([x, Math.max(0.5, Math.sqrt(loud) * half)]);
  }
  const below = above.toReversed().map(([x, loud]) => `${x.toFixed(1)},${(middle + loud).toFixed(1)}`);
  return [...above.map(([x, loud]) => `${x.toFixed(1)},${(middle - loud).toFixed(1)}`), ...below].join(" ");
}
