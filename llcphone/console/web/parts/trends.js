// How calls went by hour or day: how many, how long callers waited, what it cost.

import { get } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { ms, usd } from "../format.js";
import { calls as text } from "../text.js";

const WIDTH = 300;
const HEIGHT = 56;
const KEPT = "llcphone.trends";

export function Trends() {
  const [by, setBy] = useState(sessionStorage.getItem(KEPT) ?? "hour");
  const [buckets, setBuckets] = useState([]);
  useEffect(() => {
    let over = false;
    sessionStorage.setItem(KEPT, by);
    get(`/api/trends?by=${by}`).then(
      (answer) => over || setBuckets(answer.buckets),
      () => over || setBuckets([]), // the list says what is wrong
    );
    return () => {
      over = true;
    };
  }, [by]);
  if (buckets.length < 2 || !buckets.some(({ calls }) => calls > 0)) return null;
  const label = new Intl.DateTimeFormat(undefined, by === "hour" ? { weekday: "short", hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium" });
  const time = (bucket) => label.format(new Date(typeof bucket.at === "number" ? bucket.at * 1000 : bucket.at));
  return html`<section class="panel stack trends" aria-label=${text.trends}>
    <div class="row" role="group" aria-label=${text.trendsBy}>
      ${["hour", "day"].map((each) => html`<button key=${each} type="button" class="button quiet" aria-pressed=${by === each} onClick=${() => setBy(each)}>${text.by[each]}</button>`)}
    </div>
    <div class="charts">
      <${Chart} title=${text.chart.calls} buckets=${buckets} time=${time} bars="calls" show=${String} />
      <${Chart} title=${text.chart.gap} buckets=${buckets} time=${time} lines=${["gap_p50_ms", "gap_p95_ms"]} show=${ms} />
      <${Chart} title=${text.chart.usd} buckets=${buckets} time=${time} bars="usd" show=${usd} />
    </div>
  </section>`;
}

function Chart({ title, buckets, time, bars, lines = [], show }) {
  const names = bars ? [bars] : lines;
  const most = Math.max(...buckets.flatMap((bucket) => names.map((name) => bucket[name] ?? 0)));
  const step = WIDTH / buckets.length;
  const y = (value) => HEIGHT - 2 - (most ? (value / most) * (HEIGHT - 6) : 0);
  const path = (name) => {
    let pen = "M"; // lifted where nothing was measured
    return buckets
      .map((bucket, at) => {
        const value = bucket[name];
        if (value === null || value === undefined) {
          pen = "M";
          return "";
        }
        const point = `${pen}${(at + 0.5) * step} ${y(value)}h0.01`;
        pen = "L";
        return point;
      })
      .join("");
  };
  const last = names.map((name) => show(buckets.findLast((bucket) => bucket[name] !== null && bucket[name] !== undefined)?.[name] ?? null)).join(" / ");
  return html`<figure class="chart">
    <figcaption>${title} <span class="soft num">${last}</span></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${text.chartSays(title, time(buckets[0]), time(buckets.at(-1)), show(most), last)}>
      <path class="base" d="M0 ${HEIGHT - 1}H${WIDTH}" />
      ${bars && buckets.map((bucket, at) => html`<rect key=${at} x=${at * step + step * 0.1} width=${step * 0.8} y=${y(bucket[bars] ?? 0)} height=${HEIGHT - 2 - y(bucket[bars] ?? 0)} />`)}
      ${lines.map((name, at) => html`<path key=${name} class="line line-${at}" d=${path(name)} />`)}
      ${buckets.map((bucket, at) => html`<rect key=${`t${at}`} class="hover" x=${at * step} y="0" width=${step} height=${HEIGHT}><title>${`${time(bucket)}: ${names.map((name) => show(bucket[name] ?? null)).join(" / ")}`}</title></rect>`)}
    </svg>
    <div class="row soft chart-ends"><span class="grow">${time(buckets[0])}</span><span>${time(buckets.at(-1))}</span></div>
  </figure>`;
}
