/**
 * Charts, drawn as SVG at the size of their container and redrawn when it changes.
 *
 * @module
 */
import { fill, h, s } from "./dom.js";
import { count, exact } from "./time.js";

/** @import { Bucket, ValueCount } from "./model.js" */

const LEFT = 40;
const BOTTOM = 22;
const TOP = 8;
/** Width of a label of the time axis, in pixels. */
const LABEL_WIDTH = 76;

const hour = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/**
 * Returns three or four round steps from 0 to at least `max`.
 *
 * @param {number} max
 * @returns {number[]}
 */
export function ticksTo(max) {
  const rough = Math.max(1, max) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power);
  const ticks = [];
  for (let tick = 0; tick < Math.max(1, max) + step; tick += step) ticks.push(tick);
  return ticks;
}

/**
 * Draws columns over time, with exact numbers under the pointer.
 *
 * @param {readonly Bucket[]} buckets
 * @param {{ height?: number, daily?: boolean, signal: AbortSignal, unit?: string }} options
 */
export function columnChart(buckets, { height = 200, daily = false, signal, unit = "events" }) {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const top = buckets.reduce((max, bucket) => Math.max(max, bucket.count), 0);
  const tip = h("div", { class: "tip", hidden: true });
  const svg = s("svg", {
    class: "columns",
    height,
    role: "img",
    "aria-label": `${count(total)} ${unit} in ${buckets.length} ${daily ? "days" : "hours"}, ` +
      `at most ${count(top)} in one`,
  });
  const box = h("div", { class: "chart" }, svg, tip);

  /** Draws the chart at a width in pixels. @param {number} width */
  function draw(width) {
    const ticks = ticksTo(top);
    const most = ticks.at(-1) ?? 1;
    const [inner, tall] = [width - LEFT, height - BOTTOM - TOP];
    const step = inner / Math.max(1, buckets.length);
    const y = (/** @type {number} */ n) => TOP + tall - n / most * tall;
    const every = Math.max(1, Math.ceil(LABEL_WIDTH / step));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", String(width));
    fill(
      svg,
      ticks.map((tick) =>
        s(
          "g",
          null,
          s("line", { class: "grid", x1: LEFT, x2: width, y1: y(tick), y2: y(tick) }),
          s(
            "text",
            { class: "tick", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" },
            count(tick),
          ),
        )
      ),
      buckets.map((bucket, i) => {
        const x = LEFT + i * step;
        const tallness = bucket.count === 0 ? 0 : Math.max(2, bucket.count / most * tall);
        return s(
          "g",
          { class: "column", onpointerenter: () => show(bucket, x + step / 2) },
          s("rect", { class: "hit", x, y: TOP, width: step, height: tall }),
          s("rect", {
            class: "bar",
            x: x + Math.min(2, step * 0.12),
            y: TOP + tall - tallness,
            width: Math.max(1, step - Math.min(4, step * 0.24)),
            height: tallness,
            rx: Math.min(2, step / 4),
          }),
        );
      }),
      buckets.map((bucket, i) =>
        i % every === 0 && i * step + LABEL_WIDTH / 2 < inner &&
        s(
          "text",
          { class: "tick", x: LEFT + (i + 0.5) * step, y: height - 6, "text-anchor": "middle" },
          (daily ? day : hour).format(new Date(bucket.at)),
        )
      ),
    );
  }
  /**
   * Shows the number and the time of a column beside it.
   *
   * @param {Bucket} bucket
   * @param {number} x
   */
  function show(bucket, x) {
    fill(
      tip,
      h("strong", null, `${count(bucket.count)} ${unit}`),
      exact(bucket.at).split(" · ")[0],
    );
    tip.hidden = false;
    tip.style.left = `${Math.max(70, Math.min(x, box.clientWidth - 70))}px`;
  }
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  const watch = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > LEFT) draw(width);
  });
  watch.observe(box);
  signal.addEventListener("abort", () => watch.disconnect());
  return box;
}

/**
 * Draws a small row of columns, without axes.
 *
 * @param {readonly Bucket[]} buckets
 */
export function sparkline(buckets) {
  const top = buckets.reduce((max, { count: n }) => Math.max(max, n), 0);
  const total = buckets.reduce((sum, { count: n }) => sum + n, 0);
  return s(
    "svg",
    {
      class: "sparkline",
      viewBox: `0 0 ${buckets.length * 3} 22`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${count(total)} events in 24 hours`,
    },
    buckets.map(({ count: n }, i) => {
      const tall = n === 0 ? 1 : Math.max(3, n / Math.max(1, top) * 22);
      const kind = n === 0 ? "none" : "bar";
      return s("rect", { class: kind, x: i * 3, y: 22 - tall, width: 2, height: tall });
    }),
  );
}

/** Formats a share, from 0 to 1, as a percentage. @param {number} share */
function percent(share) {
  return share > 0 && share < 0.005 ? "<1 %" : `${Math.round(share * 100)} %`;
}

/**
 * Draws values with bars behind them.
 *
 * @param {readonly ValueCount[]} values
 * @param {{ hrefOf?: (value: string) => string, kindOf?: (value: string) => string }} [options]
 */
export function barList(values, { hrefOf, kindOf = () => "" } = {}) {
  const total = values.reduce((sum, one) => sum + one.count, 0);
  return h(
    "ul",
    { class: "bars" },
    values.map(({ value, count: n }) => {
      const share = total === 0 ? 0 : n / total;
      const bar = h("span", { class: `bar ${kindOf(value)}`, "aria-hidden": "true" });
      bar.style.width = `${Math.max(1, share * 100)}%`;
      const label = hrefOf === undefined
        ? h("span", { class: "bar-label" }, value)
        : h("a", { class: "bar-label", href: hrefOf(value) }, value);
      return h(
        "li",
        { title: `${value}: ${count(n)}` },
        label,
        h("span", { class: "bar-count" }, count(n)),
        h("span", { class: "bar-share" }, percent(share)),
        h("span", { class: "bar-track" }, bar),
      );
    }),
  );
}
