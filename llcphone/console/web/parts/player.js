// Where one is in a call, and its recording if there is one.

import { blob } from "../api.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { clock } from "../format.js";
import { registerKeys } from "../keys.js";
import { call as text } from "../text.js";
import { ProblemNotice } from "./kit.js";
import { nextOf } from "./picture_model.js";
import { peaksOf } from "./wave.js";

const RATES = [1, 1.5, 2, 0.5];
const JUMP_MS = 5000;

// {at, seek, jump, peaks, playing, …} of one call; `at` and all times in milliseconds.
// `startMs` is where the recording begins.
export function usePlayer({ id, model, begin = 0, startMs = 0 }) {
  const [at, setAt] = useState(begin);
  const [peaks, setPeaks] = useState(null);
  const [playing, setPlaying] = useState(false);
  const [rate, setRate] = useState(1);
  const [problem, setProblem] = useState(null);
  const audio = useRef(null);

  useEffect(() => () => unload(audio), [id]);
  useEffect(() => {
    if (!playing) return undefined;
    let frame = requestAnimationFrame(function follow() {
      setAt(startMs + audio.current.currentTime * 1000);
      frame = requestAnimationFrame(follow);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const seek = (time) => {
    const whole = Math.min(Math.max(0, time), model.end);
    setAt(whole);
    if (audio.current) audio.current.currentTime = Math.max(0, whole - startMs) / 1000;
  };
  const load = async () => {
    try {
      const sound = await blob(`/api/calls/${encodeURIComponent(id)}/audio`);
      setPeaks({ ...peaksOf(await sound.arrayBuffer()), startMs });
      const player = new Audio(URL.createObjectURL(sound));
      player.onplay = () => setPlaying(true);
      player.onpause = player.onended = () => setPlaying(false);
      player.onerror = () => setProblem(new Error(text.cannotPlay));
      audio.current = player;
      player.currentTime = Math.max(0, at - startMs) / 1000;
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
  };
  const toggle = () => {
    if (!audio.current) return;
    if (audio.current.paused) audio.current.play().catch(setProblem);
    else audio.current.pause();
  };
  const nextRate = () => {
    const next = RATES[(RATES.indexOf(rate) + 1) % RATES.length];
    setRate(next);
    if (audio.current) audio.current.playbackRate = next;
  };
  const jump = (step) => {
    const to = nextOf(model.turns, at, step);
    if (to !== undefined) seek(to);
  };
  return { at, seek, jump, load, peaks, playing, toggle, rate, nextRate, problem, loaded: peaks !== null, save: () => saved(audio.current?.src, id) };
}

function unload(audio) {
  if (!audio.current) return;
  audio.current.pause();
  URL.revokeObjectURL(audio.current.src);
  audio.current = null;
}

function saved(url, id) {
  if (url) Object.assign(document.createElement("a"), { href: url, download: `${id}.wav` }).click();
}

export function PlayerBar({ player, model, hasAudio, live }) {
  const { seek, jump } = player;
  const at = live && player.at === 0 ? model.end : player.at;
  const latest = useRef(player);
  latest.current = player; // two keys may come before this is drawn again
  useEffect(() => {
    const by = (ms) => (event) => (event.target.type === "range" ? false : latest.current.seek(latest.current.at + ms));
    return registerKeys({
      " ": () => (latest.current.loaded ? latest.current.toggle() : false),
      ArrowLeft: by(-JUMP_MS),
      ArrowRight: by(JUMP_MS),
      ",": () => latest.current.jump(-1),
      ".": () => latest.current.jump(1),
    });
  }, []);
  return html`<div class="player">
    <div class="row">
      ${player.loaded &&
      html`<button type="button" class="button main icon" aria-label=${player.playing ? text.pause : text.play} onClick=${player.toggle}>${player.playing ? "||" : "▶"}</button>
        <button type="button" class="button" aria-label=${text.speed} onClick=${player.nextRate}>${player.rate}×</button>
        <button type="button" class="button" onClick=${player.save}>${text.download}</button>`}
      ${!player.loaded && hasAudio && html`<button type="button" class="button" onClick=${player.load}>${text.loadAudio}</button>`}
      <button type="button" class="button" aria-label=${text.turnBeforeLong} onClick=${() => jump(-1)}>${text.turnBefore}</button>
      <button type="button" class="button" aria-label=${text.turnAfterLong} onClick=${() => jump(1)}>${text.turnAfter}</button>
      <input
        class="grow"
        type="range"
        min="0"
        max=${Math.round(model.end)}
        step="100"
        value=${Math.round(at)}
        aria-label=${text.position}
        aria-valuetext=${clock(at / 1000)}
        onInput=${(event) => seek(Number(event.target.value))}
      />
      <span class="num">${clock(at / 1000)} / ${clock(model.end / 1000)}</span>
    </div>
    <${ProblemNotice} problem=${player.problem} />
  </div>`;
}
