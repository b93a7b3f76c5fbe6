// What is measured: each panel's figures, and the ratio between the panels.

import { el, replace, svg } from "./dom.js";
import { counted, mib, ms, number, ratio, title } from "./format.js";

const TIMES = [
  ["round_trip_ms", "Round trip", "From the start of the publication to the store's own time of the record"],
  ["process_ms", "Process time", "From the handler's entry to the last byte stored"],
  ["latency_ms", "Latency", "Round trip minus process time: queueing, delivery, start-up, visibility"],
];

/** The three times and what they cost, over one panel. Warm tasks if there are any; cold ones are told apart. */
export function panelFigures(state, target) {
  const element = el("div", { class: "figures" });
  function update() {
    const figures = state.known ? state.state.targets[target].figures : null;
    const warm = Boolean(figures?.warm.tasks);
    const group = figures ? (warm ? figures.warm : figures.cold) : null;
    const times = TIMES.map(([key, name, meaning]) =>
      el("div", { title: meaning }, el("dt", {}, name), el("dd", {}, group ? ms(group[key]) : "–")),
    );
    replace(element, el("dl", {}, times), el("p", { class: "note" }, figures ? note(figures, warm) : "\u00a0"));
  }
  return { element, update };
}

function note(figures, warm) {
  if (!figures.read) return "no task is done yet";
  const groups = [];
  if (figures.warm.tasks) groups.push(`${number(figures.warm.tasks)} warm`);
  if (figures.cold.tasks) {
    const cold = `${number(figures.cold.tasks)} cold`;
    groups.push(warm ? `${cold} (round trip ${ms(figures.cold.round_trip_ms)})` : cold);
  }
  const tasks = figures.warm.tasks + figures.cold.tasks;
  const parts = [
    tasks > 1 ? `medians of ${groups.join(", ")}` : `1 task, ${warm ? "warm" : "cold"}`,
    figures.cpu_ms_per_image === null ? null : `${ms(figures.cpu_ms_per_image)} CPU an image`,
    figures.memory_mib === null ? null : `${mib(figures.memory_mib)} memory`,
    figures.left_out ? `${counted(figures.left_out, "task")} left out (found images)` : null,
  ];
  return parts.filter(Boolean).join(" · ");
}

const QUANTITIES = {
  round_trip_s: "Round trip",
  process_s: "Process time",
  latency_s: "Latency",
  cpu_s_per_image: "CPU an image",
};
const SCALE = 4; // the axis runs from 1/4 to 4 times

/** "Container or function?": the ratios of one job, with their intervals where the statistics give any. */
export function ratioCard() {
  const body = el("div", { class: "ratios" });
  const note = el("p", { class: "note" });
  const element = el("section", { class: "card versus", hidden: true }, el("h2", {}, "Container or function?"), body, note);
  function update({ comparison, why }) {
    element.hidden = !comparison && !why;
    const pairs = (comparison?.ratios ?? []).filter((one) => one.quantity in QUANTITIES);
    const known = pairs.filter((one) => one.geometric_mean !== null);
    replace(body, known.map(ratioRow));
    replace(note, comparison ? explanation(comparison, known) : why);
  }
  return { element, update };
}

function ratioRow(one) {
  const [low, high] = one.interval ?? [null, null];
  const interval = low === null ? null : el("span", { class: "interval" }, `${ratio(low)} to ${ratio(high)}`);
  return el(
    "div",
    { class: "ratio" },
    el("span", { class: "name" }, QUANTITIES[one.quantity]),
    el("b", {}, ratio(one.geometric_mean)),
    axis(one.geometric_mean, low, high),
    el("span", { class: "words" }, words(one), interval),
  );
}

function words(one) {
  const percent = Math.abs(one.geometric_mean - 1) * 100;
  if (percent < 0.5) return `${title(one.first)} and ${one.second} alike`;
  const more = one.geometric_mean > 1 ? "more" : "less";
  return `${title(one.first)} took ${percent < 10 ? percent.toFixed(1) : number(percent)}% ${more} than ${one.second}`;
}

function explanation(comparison, known) {
  const pairs = Math.max(0, ...known.map((one) => one.pairs));
  const parts = known.length
    ? [`${title(known[0].first)} divided by ${known[0].second}: geometric mean over ${counted(pairs, "task")} that ran warm on both`]
    : ["No task has run warm on both targets yet: the ratio needs one. Ask for fewer images per task"];
  parts.push(`${comparison.title} · ${comparison.note}`);
  if (comparison.differences?.length) parts.push(`Not equal on both: ${comparison.differences.join("; ")}`);
  return parts.join(". ");
}

/** Where a ratio lies between 1/4 and 4, on a logarithmic axis with 1 in the middle. */
function axis(mean, low, high) {
  const at = (value) => 50 + (50 * Math.log(Math.min(SCALE, Math.max(1 / SCALE, value)))) / Math.log(SCALE);
  const side = mean > 1 ? "right" : "left";
  return svg(
    "svg",
    { class: "axis", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 100, y1: 6, y2: 6, class: "rule" }),
    svg("line", { x1: 50, x2: 50, y1: 0, y2: 12, class: "one" }),
    svg("rect", { class: `bar ${side}`, x: Math.min(50, at(mean)), width: Math.abs(at(mean) - 50), y: 3, height: 6 }),
    low === null ? null : svg("line", { class: "whisker", x1: at(low), x2: at(high), y1: 6, y2: 6 }),
  );
}
