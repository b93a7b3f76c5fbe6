// Tasks and their times: numbers on the left, the waterfall on the right, one line per task and target.

import { el, perFrame, replace, show, svg } from "./dom.js";
import { ms, number, title } from "./format.js";
import { amount, bareAmount, heading, standalone } from "./metrics.js";

const PAGE = 60;
const WIDTH = 1000;
const PARTS = [
  ["queue", "Queue"],
  ["startup", "Start-up"],
  ["load", "Load the model"],
  ["generate", "Generate"],
  ["encode", "Encode"],
  ["store", "Store"],
  ["record", "Record"],
];

export class Waterfall {
  /** @param {import("./job_state.js").JobState} state */
  constructor(state) {
    this.state = state;
    this.page = 0;
    this.which = "all";
    this.refresh = perFrame(() => this.#draw());
    this.axis = el("th", { class: "axis-cell", scope: "col" });
    this.body = el("tbody");
    this.pager = el("nav", { class: "pager", "aria-label": "Pages of tasks" });
    this.empty = el("p", { class: "empty" }, "No task is done yet. Each appears here with its times as its record is written.");
    this.columns = standalone(state.job);
    const heads = ["Task", "Target", "Start"].map((text) => el("th", { scope: "col" }, text));
    const metricHeads = this.columns.map((metric) => el("th", { scope: "col", class: "number", title: metric.meaning }, heading(metric)));
    this.table = el(
      "table",
      { class: "waterfall" },
      el("caption", { class: "unseen" }, "Times of each task in milliseconds"),
      el("thead", {}, el("tr", {}, heads, metricHeads, this.axis)),
      this.body,
    );
    const choose = el(
      "select",
      { "aria-label": "Which tasks", onchange: () => this.#choose(choose.value) },
      [["all", "All tasks"], ["cold", "Cold only"], ["warm", "Warm only"]].map(([value, text]) => el("option", { value }, text)),
    );
    const legend = el("ul", { class: "legend" }, PARTS.map(([part, name]) => el("li", {}, el("i", { "data-part": part }), name)));
    this.element = el(
      "div",
      { class: "timing" },
      el("div", { class: "timing-head" }, legend, choose),
      this.empty,
      el("div", { class: "scroll-x", tabindex: 0, role: "region", "aria-label": "Times of each task" }, this.table),
      this.pager,
      el("p", { class: "note" }, "Times in milliseconds; a bar begins when the task's publication does. Encoding and storing go on beside generation: drawn is what they added to it. A cold task is the first that its instance generated; loading the model is part of it."),
    );
  }

  #choose(which) {
    this.which = which;
    this.page = 0;
    this.#draw();
  }

  #draw() {
    const rows = this.state.rows
      .filter((row) => this.which === "all" || (!row.problem && row.cold === (this.which === "cold")))
      .sort((a, b) => a.task - b.task || this.#rank(a) - this.#rank(b));
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const shown = rows.slice(this.page * PAGE, (this.page + 1) * PAGE);
    const longest = Math.max(1, ...shown.map((row) => (row.values?.round_trip_s ?? 0) * 1000));
    show(this.empty, !rows.length);
    show(this.table, rows.length > 0);
    replace(this.axis, axis(longest));
    replace(this.body, shown.map((row) => this.#line(row, longest)));
    this.#drawPager(pages, rows.length);
  }

  #rank(row) {
    return this.state.job.targets.indexOf(row.target);
  }

  #drawPager(pages, count) {
    show(this.pager, pages > 1);
    const step = (by, text) =>
      el("button", { type: "button", class: "quiet", disabled: this.page + by < 0 || this.page + by >= pages, onclick: () => this.#turn(by) }, text);
    const first = this.page * PAGE;
    const known = this.state.job.tasks * this.state.job.targets.length;
    const total = count < known ? `${number(count)} read so far, of ${number(known)}` : number(count);
    replace(this.pager, step(-1, "Earlier"), el("span", {}, `${number(first + 1)} to ${number(Math.min(count, first + PAGE))} of ${total}`), step(1, "Later"));
  }

  #turn(by) {
    this.page += by;
    this.#draw();
  }

  #line(row, longest) {
    const name = el("td", {}, number(row.task));
    const target = el("td", { class: "target", "data-target": row.target }, title(row.target));
    if (row.problem) {
      return el("tr", { class: "bad" }, name, target, el("td", { colspan: this.columns.length + 2 }, row.problem));
    }
    return el(
      "tr",
      {},
      name,
      target,
      el("td", {}, el("span", { class: "start", "data-cold": String(row.cold) }, row.cold ? "cold" : "warm")),
      this.columns.map((metric) => el("td", { class: "number" }, bareAmount(metric, row.values[metric.name]))),
      el("td", { class: "bar-cell" }, bar(row, longest, this.state.job.metrics)),
    );
  }
}

/** The parts of a round trip in milliseconds, end to end. */
export function segments(row) {
  const partMs = (name) => row.values[name] * 1000;
  const startup = row.startup_s * 1000;
  const room = Math.max(0, partMs("process_s") - partMs("model_load_s") - partMs("generate_s"));
  const beside = partMs("encode_s") + partMs("store_s");
  // What the threads did beside generation cost nothing; only what was left after it took time of its own.
  const share = beside > room && beside > 0 ? room / beside : 1;
  const parts = {
    queue: Math.max(0, partMs("queue_s") - startup),
    startup,
    load: partMs("model_load_s"),
    generate: partMs("generate_s"),
    encode: partMs("encode_s") * share,
    store: partMs("store_s") * share,
  };
  const sum = Object.values(parts).reduce((total, value) => total + value, 0);
  parts.record = Math.max(0, partMs("round_trip_s") - sum);
  return parts;
}

function bar(row, longest, metrics) {
  const parts = segments(row);
  let at = 0;
  const rects = PARTS.map(([part]) => {
    const width = (parts[part] / longest) * WIDTH;
    const rect = width > 0 ? svg("rect", { x: at, y: 1, width, height: 12, "data-part": part }) : null;
    at += width;
    return rect;
  });
  const details = metrics.filter((metric) => metric.part_of).map((metric) => `${metric.label} ${amount(metric, row.values[metric.name])}`);
  const text = [
    ...details,
    `start-up ${ms(row.startup_s * 1000)}, part of the queue`,
    `${number(row.generated)} generated, ${number(row.found)} found; instance ${row.instance}`,
  ].join("\n");
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} 14`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    svg("title", {}, text),
    rects,
  );
}

/** Ticks at round numbers. */
function axis(longest) {
  const raw = longest / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
  const ticks = [];
  for (let value = 0; value <= longest * 0.97; value += step) {
    const tick = el("span", {}, number(value));
    tick.style.left = `${(value / longest) * 100}%`;
    ticks.push(tick);
  }
  return el("div", { class: "ticks", "aria-hidden": "true" }, ticks);
}
