// Numbers and times in words.

const whole = new Intl.NumberFormat("en-US");
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// Seconds as 0:07, 2:13 or 1:02:13.
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const rest = String(all % 60).padStart(2, "0");
  const minutes = Math.floor(all / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

export const ms = (value) => (value === null || value === undefined ? "–" : `${whole.format(Math.round(value))} ms`);

// Money, with as many places as say something.
export function usd(value) {
  if (value === null || value === undefined) return "–";
  return `US$ ${value.toFixed(value !== 0 && Math.abs(value) < 1 ? 3 : 2)}`;
}

// An ISO time, or seconds or milliseconds since 1970.
export function when(value) {
  if (value === null || value === undefined || value === "") return "–";
  const time = typeof value === "number" ? new Date(value < 1e11 ? value * 1000 : value) : new Date(value);
  return Number.isNaN(time.getTime()) ? "–" : date.format(time);
}

export const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;
