"""Speech files: a user's WAV in, a recorded call out.

Simulated telephones speak raw 8 kHz µ-law. ``read_speech`` brings what people really have (a WAV from a
phone or an editor) to that; ``write_stereo_wav`` makes a call audible in any player, caller left, agent
right. The standard library's ``wave`` refuses µ-law and ``audioop`` is gone from Python 3.13, so the RIFF
chunks are read here; the resampler is the textbook windowed sinc, one set of taps per phase.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from array import array
from operator import mul
from pathlib import Path

import attrs

from llcphone.sim import ulaw

RATE = 8000
SILENCE = b"\xff"

_PCM, _FLOAT, _ULAW, _EXTENSIBLE = 1, 3, 7, 0xFFFE
_READ = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64), (_ULAW, 8)}
_LOBES = 8
"""Zero crossings of the sinc on each side: enough for telephone speech."""


class SpeechFileError(ValueError):
    """A speech file cannot be read; the text says why and what would do."""


def read_speech(path: Path | str) -> bytes:
    """Read a speech file as raw 8 kHz µ-law.

    Takes ``.ulaw`` (raw, passed through) and ``.wav``: 8 to 48 kHz, mono or stereo, PCM of 8 to 32 bits,
    floating point, or µ-law.

    Raises:
        SpeechFileError: anything else.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    data = path.read_bytes()
    return data if path.suffix.lower() in {".ulaw", ".ul", ".mulaw"} else decode_speech(data, path.name)


def decode_speech(data: bytes, name: str) -> bytes:
    """Turn the content of a WAV file into raw 8 kHz µ-law.

    Raises:
        SpeechFileError: it is none, or of another kind than ``read_speech`` takes.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise _refused(name, "neither raw .ulaw nor a WAV file")
    form, body = _read_chunks(data, name)
    if form.encoding == _ULAW and form.channels == 1 and form.rate == RATE:
        return body
    return ulaw.encode(_resample(_to_mono(form, body, name), form.rate))


def write_stereo_wav(path: Path | str, left: bytes, right: bytes) -> None:
    """Write two µ-law voices as one 16-bit 8 kHz WAV; the shorter one is filled with silence."""
    length = max(len(left), len(right))
    samples = array("h", bytes(4 * length))
    samples[0::2] = ulaw.decode(left.ljust(length, SILENCE))
    samples[1::2] = ulaw.decode(right.ljust(length, SILENCE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(_little_endian(samples).tobytes())


@attrs.frozen
class _Format:
    encoding: int
    channels: int
    rate: int
    bits: int


def _read_chunks(data: bytes, name: str) -> tuple[_Format, bytes]:
    """The ``fmt`` and ``data`` chunks; chunks are padded to even lengths."""
    form: _Format | None = None
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if kind == b"fmt ":
            form = _read_format(body, name)
        elif kind == b"data" and form is not None:
            return form, body
        at += 8 + size + size % 2
    raise SpeechFileError(f"{name}: a WAV file without sound")


def _read_format(body: bytes, name: str) -> _Format:
    if len(body) < 16:
        raise SpeechFileError(f"{name}: a WAV file with a broken header")
    encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if encoding == _EXTENSIBLE and len(body) >= 26:
        encoding = int.from_bytes(body[24:26], "little")  # the real one opens the sub-format
    if (encoding, bits) not in _READ:
        why = f"only PCM of 8 to 32 bits, floating point and µ-law, not format {encoding} of {bits} bits"
        raise _refused(name, why)
    if channels not in (1, 2):
        raise _refused(name, f"only mono or stereo, not {channels} channels")
    if not RATE <= rate <= 48000:
        raise _refused(name, f"only 8 to 48 kHz, not {rate} Hz")
    return _Format(encoding, channels, rate, bits)


def _refused(name: str, why: str) -> SpeechFileError:
    return SpeechFileError(f"{name}: {why}. Fix: sox {name} -r 8000 -c 1 -b 16 speech.wav")


def _to_mono(form: _Format, body: bytes, name: str) -> array[int]:
    samples = _samples(form, body)
    if form.channels == 2:
        samples = array("h", ((a + b) >> 1 for a, b in zip(samples[0::2], samples[1::2], strict=False)))
    if not samples:
        raise SpeechFileError(f"{name}: a WAV file without sound")
    return samples


def _samples(form: _Format, body: bytes) -> array[int]:
    """The 16-bit samples nearest to those of the file, channels interleaved."""
    width = form.bits // 8
    body = body[: len(body) // width * width]
    if form.encoding == _ULAW:
        return ulaw.decode(body)
    if form.encoding == _FLOAT:
        numbers = struct.unpack(f"<{len(body) // width}{'f' if width == 4 else 'd'}", body)
        return array("h", (round(32767 * max(-1.0, min(1.0, x))) if x == x else 0 for x in numbers))
    if width == 1:
        return array("h", ((byte - 128) << 8 for byte in body))  # 8-bit PCM is unsigned
    upper = bytearray(len(body) // width * 2)  # the two upper bytes of each
    upper[0::2], upper[1::2] = body[width - 2 :: width], body[width - 1 :: width]
    return _little_endian(array("h", bytes(upper)))


def _resample(samples: array[int], rate: int) -> array[int]:
    """Windowed-sinc resampling to 8 kHz.

    Output sample n lies at ``n * rate / 8000`` of the input; the fraction takes only ``8000 / gcd`` values,
    each with its own taps. The low-pass sits at 4 kHz, so nothing folds back.
    """
    if rate == RATE:
        return samples
    phases = RATE // math.gcd(RATE, rate)
    half = math.ceil(_LOBES * rate / RATE)
    taps = [_taps(phase / phases, half, RATE / rate) for phase in range(phases)]
    margin = array("h", bytes(4 * half))
    padded = margin + samples + margin
    result = array("h")
    for n in range(len(samples) * RATE // rate):
        at, remainder = divmod(n * rate, RATE)
        window = padded[at + half + 1 : at + 3 * half + 1]
        value = round(sum(map(mul, taps[remainder * phases // RATE], window)))
        result.append(max(-32768, min(32767, value)))
    return result


def _taps(fraction: float, half: int, cutoff: float) -> list[float]:
    """Weights, summing to one, of the ``2 * half`` input samples around ``fraction`` after sample 0."""
    weights = []
    for k in range(1 - half, half + 1):
        x = k - fraction
        sinc = 1.0 if x == 0 else math.sin(math.pi * x * cutoff) / (math.pi * x * cutoff)
        weights.append(sinc * (0.5 + 0.5 * math.cos(math.pi * x / half)) if abs(x) < half else 0.0)
    total = sum(weights)
    return [weight / total for weight in weights]


def _little_endian(samples: array[int]) -> array[int]:
    if sys.byteorder == "big":
        samples = array("h", samples)
        samples.byteswap()
    return samples
