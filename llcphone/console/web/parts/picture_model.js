// What the picture of a call shows, from its page's data. Pure: nothing here knows the screen.
//
// All times are milliseconds since the call's birth. A record says who had the floor when, what the steps of each
// turn were, and how much of each line was generated and heard; where a line lies on the axis follows from those.

// The steps of a turn: the time at which each ends, and whose time it is.
const STEPS = [
  ["decided", "decided_ms", "detect"],
  ["created", "begun_ms", "model"],
  ["tools", "created_ms", "tool"],
  ["first_delta", "first_delta_ms", "model"],
  ["sent", "sent_ms", "ours"],
  ["heard", "ear_ms", "line"],
];

const THINKING = "model thinking"; // who has the floor, as the record says it
const SAME_MS = 100;

export function modelOf({ call, record, lines = [], audio = null }, nowMs = null) {
  const turns = (record?.turns ?? []).map((turn) => turnOf(turn, record.started_after_ms));
  const end = endOf(call, record, nowMs);
  const floor = floorSpans(record?.floor ?? [], turns, end);
  const unanswered = unansweredOf(record?.floor ?? [], floor, turns, end);
  const model = {
    floor,
    turns,
    unanswered,
    waits: [...turns.filter((turn) => turn.gapMs !== null).map(({ index, askedMs, heardMs, gapMs }) => ({ index, from: askedMs, to: heardMs, gapMs })), ...(unanswered ? [unanswered] : [])],
    lines: placed(lines.length ? lines.filter(({ text }) => text).map(liveLine) : record?.transcript ?? [], turns, floor),
    tools: inLanes(record?.tools ?? [], end),
    trouble: troubleOf(record),
    notice: Boolean(audio), // the caller hears of a recording before the line is open
  };
  const ended = call?.state === "ended" ? (record?.duration_s ?? 0) * 1000 : Infinity;
  model.cuts = model.lines.filter((line) => line.cut).map((line) => ({ at: line.to, line, byEnd: line.to > ended - 100 }));
  for (const { line, byEnd } of model.cuts) line.byEnd = byEnd;
  model.end = Math.max(end, ...[...floor, ...model.tools].map(({ to }) => to), 1000);
  return model;
}

const endOf = (call, record, nowMs) => nowMs ?? (record?.duration_s ?? call?.duration_s ?? 0) * 1000;

// The greeting is made while the line is not open yet: the caller is not waiting for llcphone then.
function turnOf(turn, startedMs) {
  const askedMs = turn.spoke_until_ms;
  const parts = [];
  let from = askedMs ?? turn.begun_ms;
  for (const [name, key, whose] of STEPS) {
    const at = turn[key];
    if (at === null || at === undefined || from === null) continue;
    const to = Math.max(from, at);
    const open = name === "sent" && startedMs > from ? Math.min(startedMs, to) : from;
    if (open > from) parts.push({ name: "opening", whose: "opening", from, to: open, ms: open - from });
    from = open;
    if (to > from) parts.push({ name, whose, from, to, ms: to - from });
    from = to;
  }
  return {
    index: turn.index,
    asked: turn.asked,
    at: askedMs ?? turn.begun_ms ?? 0,
    askedMs,
    begunMs: turn.created_ms,
    heardMs: turn.ear_ms,
    gapMs: turn.ear_gap_ms ?? null,
    cutMs: turn.barged_in_ms,
    parts,
    took: { ...turn.parts, ...withOpening(parts) },
    longest: turn.longest,
    tools: turn.tools,
    usd: turn.cost_usd,
    usage: turn.usage ?? {},
    cachedShare: turn.cached_share ?? 0,
  };
}

// The steps of a turn that took less than the record says, as some of it was the opening of the line.
function withOpening(parts) {
  const opening = parts.find(({ name }) => name === "opening");
  return opening ? { opening: opening.ms, sent: parts.find(({ name }) => name === "sent")?.ms ?? 0 } : {};
}

// Who was heard when. The floor passes on when turn detection has decided and when audio is sent; the ends that a
// person hears are those of the turn: the caller's last sound, and the first sound of the answer.
function floorSpans(moves, turns, end) {
  const spans = [];
  moves.forEach(([from, who], at) => {
    if (who !== "caller" && who !== "agent") return;
    const to = moves[at + 1]?.[0] ?? end;
    const span = { who, from, to };
    if (who === "caller") {
      const turn = turns.find(({ askedMs, parts }) => askedMs !== null && askedMs > from && parts[0]?.name === "decided" && Math.abs(parts[0].to - to) <= 20);
      if (turn) span.to = turn.askedMs;
    } else {
      const turn = turns.find(({ parts, heardMs }) => heardMs !== null && heardMs < to && parts.some((part) => part.to >= from - 20 && part.from <= from + 20));
      if (turn) span.from = Math.max(from, turn.heardMs);
    }
    if (span.to > span.from) spans.push(span);
  });
  return spans;
}

// The wait in which the call is now, or ended: the agent had the turn, and was not heard.
function unansweredOf(moves, floor, turns, end) {
  if (moves.at(-1)?.[1] !== THINKING) return null;
  const from = floor.findLast(({ who }) => who === "caller")?.to ?? moves.at(-1)[0];
  const asked = turns.at(-1);
  return end > from ? { index: asked?.askedMs >= from - SAME_MS ? asked.index : turns.length + 1, from, to: end, gapMs: end - from } : null;
}

// A line of a live call, as those of a record are.
function liveLine({ speaker, at_ms, text, heard, cut }) {
  const whole = heard.length >= text.length;
  return { speaker, at_ms, text: heard, unheard: text.slice(heard.length).trim(), pending: !cut && !whole };
}

function placed(lines, turns, floor) {
  const [callers, agents] = ["caller", "agent"].map((name) => floor.filter(({ who }) => who === name));
  let free = 0;
  let turnBefore = null;
  return lines.map((line, index) => {
    const at = line.at_ms ?? 0;
    const whole = { index, speaker: line.speaker, text: line.text, unheard: line.unheard ?? "", pending: Boolean(line.pending) };
    if (line.speaker === "caller") {
      const span = callers.findLast(({ from }) => from <= at);
      return { ...whole, from: span?.from ?? at, to: span?.to ?? at, cut: false };
    }
    const turn = turns.findLast(({ begunMs }) => begunMs !== null && begunMs <= at) ?? null;
    const from = turn !== turnBefore && turn?.heardMs ? turn.heardMs : Math.max(at, free);
    const answers = turn !== turnBefore && turn?.gapMs !== null ? turn : null;
    turnBefore = turn;
    const generated = line.generated_ms ?? 0;
    const heard = line.heard_ms ?? generated;
    const live = line.generated_ms === undefined; // nobody has measured it yet
    const cut = line.speaker === "agent" && !line.pending && (live ? Boolean(whole.unheard) : heard < generated);
    free = live && cut ? (agents.find(({ to }) => to > from)?.to ?? from) : from + heard;
    return { ...whole, from, to: free, cut, answers, ...(!live && { heardMs: heard, generatedMs: generated }) };
  });
}

// Tools that ran at the same time lie below each other.
function inLanes(tools, end) {
  const ends = [];
  return tools
    .filter(({ at_ms }) => at_ms !== null && at_ms !== undefined)
    .map((tool) => ({ name: tool.name, from: tool.at_ms, to: tool.at_ms + (tool.took_ms ?? Math.max(0, end - tool.at_ms)), ms: tool.took_ms, targetMs: tool.target_ms, ok: tool.ok }))
    .sort((one, other) => one.from - other.from)
    .map((tool) => {
      let lane = ends.findIndex((end) => end <= tool.from);
      if (lane < 0) lane = ends.length;
      ends[lane] = Math.max(tool.to, tool.from + 1);
      return { ...tool, lane };
    });
}

function troubleOf(record) {
  const alarms = (record?.alarms ?? []).map(({ kind, at_ms, lasted_ms, because }) => ({ kind, from: at_ms, ms: lasted_ms, why: because, bad: true }));
  const gaps = (record?.gaps ?? []).map((gap) => ({
    kind: kindOf(gap),
    from: gap.at_ms ?? 0,
    ms: gap.gap_ms,
    why: [gap.cause, gap.outcome].filter(Boolean).join(", "),
    bad: kindOf(gap) === "session lost",
  }));
  return [...alarms, ...gaps].sort((one, other) => one.from - other.from);
}

// In a turn without an end, such as a noise, nothing was lost: the next session has the whole turn.
function kindOf({ kind, cause }) {
  if (kind !== "lost") return "session renewed";
  return cause === "long turn" ? "no pause" : "session lost";
}

// One more message of the live socket about this call.
export function folded(page, message) {
  const record = page.record ?? {};
  if (message.event === "turn") {
    const turns = (record.turns ?? []).filter(({ index }) => index !== message.turn.index);
    return { ...page, record: { ...record, turns: [...turns, message.turn].sort((one, other) => one.index - other.index) } };
  }
  if (message.event === "heard") return { ...page, lines: heardLines(page.lines ?? [], message) };
  const { kind, at_ms, fields = {} } = message;
  switch (kind) {
    case "floor":
      if ((record.floor ?? []).some(([at]) => at >= at_ms)) return page; // it was in the record already
      return { ...page, record: { ...record, floor: [...(record.floor ?? []), [at_ms, fields.floor]] } };
    case "tool":
      if ((record.tools ?? []).some((tool) => tool.name === fields.name && Math.abs(tool.at_ms - at_ms) < SAME_MS)) return page;
      return { ...page, record: { ...record, tools: [...(record.tools ?? []), { name: fields.name, id: fields.call_id, at_ms, took_ms: null, ok: null }] } };
    case "tool done": {
      const tools = (record.tools ?? []).map((tool) => (tool.id === fields.call_id ? { ...tool, took_ms: fields.took_ms, ok: fields.ok } : tool));
      return { ...page, record: { ...record, tools } };
    }
    case "slow turn":
    case "dead air":
      return { ...page, record: { ...record, alarms: [...(record.alarms ?? []), { kind, at_ms, lasted_ms: fields.ms, because: fields.because }] } };
    case "model lost":
      return { ...page, record: { ...record, gaps: [...(record.gaps ?? []), { kind: "lost", at_ms, cause: fields.cause, gap_ms: null, outcome: "" }] } };
    default:
      return page;
  }
}

function heardLines(lines, { item, text, heard, by, cut = false, at_ms = null }) {
  const at = lines.findIndex((line) => line.item === item);
  const known = lines[at] ?? { item, speaker: by, at_ms, text: "", heard: "" };
  const line = { ...known, at_ms: at_ms ?? known.at_ms, text, heard: text.slice(0, heard), cut };
  return at < 0 ? [...lines, line] : lines.with(at, line);
}

// The turn, line or floor before or after a time, for the keys.
export function nextOf(items, at, step) {
  const starts = items.map(({ from, at: begin }) => from ?? begin).sort((one, other) => one - other);
  return step > 0 ? starts.find((start) => start > at + 10) : starts.findLast((start) => start < at - 500);
}
