// Sound between a device (44.1 or 48 kHz, floats) and the telephone (8 kHz, µ-law bytes).

const BIAS = 132; // G.711 adds it to each magnitude before it takes the logarithm
const CLIP = 32635;
export const SILENCE = 0xff;

export const DECODED = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const segment = (code >> 4) & 7;
  const magnitude = ((((code & 15) << 3) + BIAS) << segment) - BIAS;
  return (code & 0x80 ? -magnitude : magnitude) / 32768;
});

export function encode(sample) {
  const linear = Math.round(sample * 32768);
  const sign = linear < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(linear), CLIP) + BIAS;
  const segment = 24 - Math.clz32(magnitude);
  return ~(sign | (segment << 4) | ((magnitude >> (segment + 3)) & 15)) & 0xff;
}

const SPAN_S = 0.0015; // of the kernel on each side; 145 taps at 48 kHz
const CUTOFF_HZ = 3900; // -0.13 dB at 3.4 kHz, -60 dB from 4.6 kHz on
const BETA = 5.65;

// The textbook's low-pass: a sinc in a Kaiser window, at a distance from its middle.
function kernel(seconds) {
  const edge = seconds / SPAN_S;
  if (Math.abs(edge) > 1) return 0;
  const angle = 2 * Math.PI * CUTOFF_HZ * seconds;
  return (angle === 0 ? 1 : Math.sin(angle) / angle) * bessel(BETA * Math.sqrt(1 - edge * edge));
}

function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-9; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

// From one sample rate to another. An output sample lies at a fraction of the input's samples; the fraction takes
// few values, and each has its own taps. It is late by SPAN_S.
export class Resampler {
  constructor(from, to) {
    const divisor = greatestDivisor(from, to);
    this.step = from / divisor;
    this.phases = to / divisor;
    const half = Math.round(SPAN_S * from);
    this.width = 2 * half + 1;
    this.taps = Array.from({ length: this.phases }, (_, phase) => {
      const taps = Float32Array.from({ length: this.width }, (_, k) => kernel((phase / this.phases + half - k) / from));
      const sum = taps.reduce((total, tap) => total + tap, 0);
      return taps.map((tap) => tap / sum);
    });
    this.recent = new Float32Array(2 * this.width); // twice, so that each window is one piece
    this.at = 0;
    this.phase = 0;
  }

  // Takes one sample, and writes what it leads to from `index` on; returns the index behind that.
  push(sample, out, index) {
    this.recent[this.at] = this.recent[this.at + this.width] = sample;
    this.at = (this.at + 1) % this.width;
    const { recent, width, at } = this;
    while (this.phase < this.phases) {
      const taps = this.taps[this.phase];
      let sum = 0;
      for (let k = 0; k < width; k++) sum += taps[k] * recent[at + k];
      out[index++] = sum;
      this.phase += this.step;
    }
    this.phase -= this.phases;
    return index;
  }
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
