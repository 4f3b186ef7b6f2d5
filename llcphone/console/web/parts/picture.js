// A call as one picture on one time axis: who was heard when, the wait in the silences, where each wait went, tools,
// and trouble. It is drawn only where it is looked at, so an hour costs no more than a minute.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../dom.js";
import { clock, ms } from "../format.js";
import { call as text } from "../text.js";
import { outline } from "./wave.js";

const LANE = 40;
const BAR = 22;
const AXIS = 22;
const PX_PER_S = 40; // of a call that does not fit the screen
const FITS_PX_PER_S = 15;
const LETTER_PX = 9;
const LABEL_PX = 34; // of a time
const TROUBLE_PX = 76; // of a label
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];

export function Picture({ model, at, peaks, onSeek, live = false }) {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  const [left, setLeft] = useState(0);
  const [zoom, setZoom] = useState(null); // px per ms; null: chosen here
  const fit = width / model.end;
  const scale = Math.max(fit, zoom ?? (fit * 1000 < FITS_PX_PER_S ? PX_PER_S / 1000 : 0));
  const view = { width, scale, from: left / scale, to: (left + width) / scale, x: (time) => time * scale - left };

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(contentRect.width));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const x = at * scale;
    if (width && (x < box.current.scrollLeft || x > box.current.scrollLeft + width - 8)) box.current.scrollLeft = x - width / 4;
  }, [at, scale, width]);
  useEffect(() => {
    if (live) box.current.scrollLeft = model.end * scale;
  }, [live, Math.floor(model.end / 1000)]);

  const zoomTo = (next) => {
    const middle = at >= view.from && at <= view.to ? at : (view.from + view.to) / 2;
    setZoom(Math.min(1, Math.max(fit, next)));
    requestAnimationFrame(() => (box.current.scrollLeft = middle * Math.max(fit, next) - width / 2));
  };
  const goTo = (time) => {
    box.current.scrollLeft = time * scale - width / 2;
    onSeek(time);
  };
  return html`<div class="picture">
    ${scale > fit && html`<${Overview} model=${model} view=${view} at=${at} onSeek=${goTo} />`}
    <div class="picture-box">
    <${LaneNames} model=${model} />
    <div class="picture-scroll" ref=${box} tabindex="0" role="group" aria-label=${text.pictureLabel} onScroll=${(event) => setLeft(event.target.scrollLeft)}>
      <div style=${{ width: `${Math.max(width, model.end * scale)}px` }}>
        ${width > 0 && html`<${Lanes} model=${model} view=${view} at=${at} peaks=${peaks} onSeek=${onSeek} />`}
      </div>
    </div>
    </div>
    <div class="row picture-tools">
      <${Legend} model=${model} />
      <span class="grow"></span>
      <div class="row">
        <button type="button" class="button" disabled=${scale <= fit} onClick=${() => zoomTo(0)}>${text.whole}</button>
        <button type="button" class="button icon" aria-label=${text.zoomOut} disabled=${scale <= fit} onClick=${() => zoomTo(scale / 2)}>−</button>
        <button type="button" class="button icon" aria-label=${text.zoomIn} disabled=${scale >= 1} onClick=${() => zoomTo(scale * 2)}>+</button>
      </div>
    </div>
  </div>`;
}

// Where each lane begins, from above.
function placesOf(model) {
  const lanes = Math.max(0, ...model.tools.map(({ lane }) => lane + 1));
  const top = { caller: 0, agent: LANE, wait: 2 * LANE + 4 };
  top.tools = top.wait + BAR + 6;
  top.trouble = top.tools + lanes * BAR;
  top.axis = top.trouble + (model.trouble.length ? BAR : 0);
  return { top, height: top.axis + AXIS };
}

function LaneNames({ model }) {
  const { top, height } = placesOf(model);
  const names = ["caller", "agent", "wait", ...(model.tools.length ? ["tools"] : []), ...(model.trouble.length ? ["trouble"] : [])];
  return html`<svg class="lane-names" width="46" height=${height} aria-hidden="true">
    ${names.map((name) => html`<text key=${name} class=${name} x="0" y=${top[name] + (name === "caller" || name === "agent" ? LANE / 2 + 4 : 15)}>${text.lanes[name]}</text>`)}
  </svg>`;
}

function Lanes({ model, view, at, peaks, onSeek }) {
  const { top, height } = placesOf(model);
  const inView = ({ from, to = from }) => from <= view.to && to >= view.from;
  const click = (event) => onSeek(view.from + (event.clientX - event.currentTarget.getBoundingClientRect().left) / view.scale);
  return html`<svg class="picture-lanes" width=${view.width} height=${height} role="img" aria-label=${text.pictureSays(model)} onClick=${click}>
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V6" /></pattern>
    </defs>
    <${Axis} view=${view} y=${top.axis} height=${height} end=${model.end} />
    ${["caller", "agent"].map(
      (who) => html`<${Voice} key=${who} who=${who} view=${view} y=${top[who]} peaks=${peaks?.[who]} startMs=${peaks?.startMs ?? 0} spans=${model.floor.filter((span) => span.who === who && inView(span))} />`,
    )}
    ${model.waits.filter(inView).map(
      ({ index, from, to, gapMs }) => html`<g key=${index} class="wait" onClick=${seeks(onSeek, from)}>
        <rect x=${view.x(from)} y=${top.agent + 4} width=${wide(view, from, to)} height=${LANE - 8} />
        ${wide(view, from, to) > 52 && html`<text x=${view.x(from) + 4} y=${top.agent + LANE / 2 + 4}>${ms(gapMs)}</text>`}
        <title>${text.waited(index, gapMs)}</title>
      </g>`,
    )}
    ${model.cuts.filter(({ at: from }) => inView({ from })).map(
      ({ at: from, line }) => html`<g key=${line.index} class="cut" onClick=${seeks(onSeek, from)}>
        <path d=${`M${view.x(from)} ${top.agent}v${LANE}`} />
        <text x=${view.x(from) + 3} y=${top.agent + 13}>✂</text>
        <title>${text.cut(line)}</title>
      </g>`,
    )}
    ${model.turns.filter(({ parts }) => parts.length > 0 && inView({ from: parts[0].from, to: parts.at(-1).to })).map(
      (turn) => html`<${TurnBar} key=${turn.index} turn=${turn} notice=${model.notice} view=${view} y=${top.wait} onSeek=${onSeek} />`,
    )}
    ${model.tools.filter(inView).map(
      (tool) => html`<g key=${`${tool.name}${tool.from}`} class="tool-bar ${tool.ok === false ? "failed" : ""}" onClick=${seeks(onSeek, tool.from)}>
        <rect x=${view.x(tool.from)} y=${top.tools + tool.lane * BAR} width=${wide(view, tool.from, tool.to)} height=${BAR - 4} rx="2" />
        <text x=${Math.max(4, view.x(tool.from) + 4)} y=${top.tools + tool.lane * BAR + 13}>${tool.name}${tool.ok === false ? " ✗" : ""}</text>
        <title>${text.toolTook(tool)}</title>
      </g>`,
    )}
    ${model.trouble.filter(inView).map(
      (each, index, all) => html`<g key=${`${each.kind}${each.from}`} class="trouble ${each.bad ? "bad" : ""}" onClick=${seeks(onSeek, each.from)}>
        <path d=${`M${view.x(each.from)} 0V${top.axis}`} />
        <text x=${view.x(each.from) + 4} y=${top.trouble + 14}>${each.bad ? "⚑" : "↻"} ${view.x(all[index + 1]?.from ?? Infinity) - view.x(each.from) > TROUBLE_PX ? text.trouble[each.kind] ?? each.kind : ""}</text>
        <title>${text.troubleWas(each)}</title>
      </g>`,
    )}
    <path class="playhead" d=${`M${view.x(at)} 0V${height}`} />
  </svg>`;
}

const wide = (view, from, to) => Math.max(1.5, (to - from) * view.scale);

const seeks = (onSeek, time) => (event) => {
  event.stopPropagation();
  onSeek(time);
};

function Voice({ who, view, y, spans, peaks, startMs }) {
  const middle = y + LANE / 2;
  return html`<g class="voice ${who}">
    <path class="base" d=${`M0 ${middle}H${view.width}`} />
    ${spans.map(
      ({ from, to }) => html`<rect key=${from} class=${peaks ? "under" : ""} x=${view.x(from)} y=${y + 6} width=${wide(view, from, to)} height=${LANE - 12} rx="3"><title>${text.spoke(who, from, to)}</title></rect>`,
    )}
    ${peaks && html`<polygon points=${outline(peaks, view.from - startMs, view.to - startMs, view.width, middle, LANE / 2 - 3)} />`}
  </g>`;
}

function TurnBar({ turn, notice, view, y, onSeek }) {
  return html`<g class="turn-bar" onClick=${seeks(onSeek, turn.parts[0].from)}>
    ${turn.parts.map(
      ({ whose, from, to }) => html`<g key=${from} class="part ${whose}">
        <rect x=${view.x(from)} y=${y} width=${wide(view, from, to)} height=${BAR} />
        ${wide(view, from, to) > LETTER_PX && html`<text x=${view.x(from) + wide(view, from, to) / 2} y=${y + 15}>${text.letters[whose]}</text>`}
      </g>`,
    )}
    <title>${text.turnWas(turn, notice)}</title>
  </g>`;
}

function Axis({ view, y, height, end }) {
  const step = STEPS_S.find((each) => each * 1000 * view.scale >= 64) ?? STEPS_S.at(-1);
  const first = Math.max(0, Math.floor(view.from / 1000 / step));
  const count = Math.ceil((view.to - view.from) / 1000 / step) + 1;
  const times = Array.from({ length: count }, (_, at) => (first + at) * step);
  return html`<g class="axis">
    ${times.map(
      (time) => html`<g key=${time}>
        <path d=${`M${view.x(time * 1000)} 0V${height - 14}`} />
        ${view.x(end) - view.x(time * 1000) > LABEL_PX && html`<text x=${view.x(time * 1000) + 3} y=${y + 16}>${clock(time)}${step < 1 ? `.${Math.round((time % 1) * 10)}` : ""}</text>`}
      </g>`,
    )}
  </g>`;
}

function Overview({ model, view, at, onSeek }) {
  const part = (time) => (1000 * time) / model.end;
  const click = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    onSeek(((event.clientX - left) / width) * model.end);
  };
  return html`<svg class="picture-overview" viewBox="0 0 1000 30" preserveAspectRatio="none" aria-hidden="true" onClick=${click}>
    ${model.floor.map(({ who, from, to }) => html`<rect key=${from} class=${who} x=${part(from)} y=${who === "caller" ? 3 : 16} width=${Math.max(1, part(to - from))} height="11" />`)}
    ${model.waits.map(({ index, from, to }) => html`<rect key=${index} class="wait" x=${part(from)} y="16" width=${Math.max(1, part(to - from))} height="11" />`)}
    ${model.trouble.map(({ from, bad }) => html`<rect key=${from} class=${bad ? "bad" : "renewed"} x=${part(from)} y="0" width="2" height="30" />`)}
    <rect class="window" x=${part(view.from)} y="1" width=${part(view.to - view.from)} height="28" />
    <rect class="playhead" x=${part(at)} y="0" width="2" height="30" />
  </svg>`;
}

function Legend({ model }) {
  const seen = new Set(model.turns.flatMap(({ parts }) => parts.map(({ whose }) => whose)));
  return html`<ul class="legend">
    ${Object.entries(text.letters).filter(([whose]) => seen.has(whose)).map(
      ([whose, letter]) => html`<li key=${whose}><span class="swatch ${whose}" aria-hidden="true">${letter}</span>${text.whoseIs(whose, model.notice)}</li>`,
    )}
  </ul>`;
}
