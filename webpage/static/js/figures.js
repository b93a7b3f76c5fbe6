// What is measured in each panel.

import { el, replace } from "./dom.js";
import { counted, mib, ms, number } from "./format.js";

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
