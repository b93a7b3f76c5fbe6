// Tasks and their times: numbers on the left, the waterfall on the right, one line per task and target.

import { el, perFrame, replace, show, svg } from "./dom.js";
import { bareMs, mib, ms, number, title } from "./format.js";

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
    const heads = ["Task", "Target", "Start", "Round trip", "Process", "Latency", "CPU", "Memory"];
    this.table = el(
      "table",
      { class: "waterfall" },
      el("caption", { class: "unseen" }, "Times of each task in milliseconds"),
      el("thead", {}, el("tr", {}, heads.map((head, at) => el("th", { scope: "col", class: at > 2 ? "number" : "" }, head)), this.axis)),
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
      el("p", { class: "note" }, "Times in milliseconds; a bar begins when the task's publication does. Encoding and storing go on beside painting: drawn is what they added to it. A cold task is the first that its instance served."),
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
    const longest = Math.max(1, ...shown.map((row) => row.round_trip_ms ?? 0));
    show(this.empty, !rows.length);
    show(this.table, rows.length > 0);
    replace(this.axis, axis(longest));
    replace(this.body, shown.map((row) => line(row, longest)));
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
    const of = count < known ? `${number(count)} read so far, of ${number(known)}` : number(count);
    replace(this.pager, step(-1, "Earlier"), el("span", {}, `${number(first + 1)} to ${number(Math.min(count, first + PAGE))} of ${of}`), step(1, "Later"));
  }

  #turn(by) {
    this.page += by;
    this.#draw();
  }
}

function line(row, longest) {
  const name = el("td", {}, number(row.task));
  const target = el("td", { class: "target", "data-target": row.target }, title(row.target));
  if (row.problem) {
    return el("tr", { class: "bad" }, name, target, el("td", { colspan: 7 }, row.problem));
  }
  const numbers = [bareMs(row.round_trip_ms), bareMs(row.process_ms), bareMs(row.latency_ms), bareMs(row.cpu_ms), mib(row.memory_mib)];
  return el(
    "tr",
    {},
    name,
    target,
    el("td", {}, el("span", { class: "start", "data-cold": String(row.cold) }, row.cold ? "cold" : "warm")),
    numbers.map((text) => el("td", { class: "number" }, text)),
    el("td", { class: "bar-cell" }, bar(row, longest)),
  );
}

/** The parts of a round trip, end to end. */
export function segments(row) {
  const painting = row.load_ms + row.generate_ms;
  const room = Math.max(0, row.process_ms - painting);
  const beside = row.encode_ms + row.store_ms;
  // What the threads did beside painting cost nothing; only what was left after it took time of its own.
  const share = beside > room && beside > 0 ? room / beside : 1;
  const parts = {
    queue: Math.max(0, row.queue_ms),
    startup: row.startup_ms,
    load: row.load_ms,
    generate: row.generate_ms,
    encode: row.encode_ms * share,
    store: row.store_ms * share,
  };
  const sum = Object.values(parts).reduce((total, value) => total + value, 0);
  parts.record = Math.max(0, row.round_trip_ms - sum);
  return parts;
}

function bar(row, longest) {
  const parts = segments(row);
  let at = 0;
  const rects = PARTS.map(([part]) => {
    const width = (parts[part] / longest) * WIDTH;
    const rect = width > 0 ? svg("rect", { x: at, y: 1, width, height: 12, "data-part": part }) : null;
    at += width;
    return rect;
  });
  const told = [
    `queue ${ms(row.queue_ms)}, start-up ${ms(row.startup_ms)}, load ${ms(row.load_ms)}, generate ${ms(row.generate_ms)}`,
    `encode ${ms(row.encode_ms)}, store ${ms(row.store_ms)} (threads added up)`,
    `${number(row.painted)} painted, ${number(row.found)} found; instance ${row.instance}`,
  ].join("\n");
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} 14`, preserveAspectRatio: "none", role: "img", "aria-label": told },
    svg("title", {}, told),
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
