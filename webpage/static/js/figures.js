// What is measured in each panel.

import { el, replace } from "./dom.js";
import { counted, mib, number } from "./format.js";
import { amount, compared, heading } from "./metrics.js";

/** The medians of one panel. Warm tasks if there are any; cold ones are counted apart. */
export function panelFigures(state, target) {
  const element = el("div", { class: "figures" });
  const metrics = compared(state.job);
  function update() {
    const figures = state.known ? state.state.targets[target].figures : null;
    const warm = Boolean(figures?.warm.tasks);
    const group = figures ? (warm ? figures.warm : figures.cold) : null;
    const medians = metrics.map((metric) =>
      el("div", { title: metric.meaning }, el("dt", {}, heading(metric)), el("dd", {}, amount(metric, group?.medians[metric.name]))),
    );
    replace(element, el("dl", {}, medians), el("p", { class: "note" }, figures ? note(figures, warm, metrics[0]) : "\u00a0"));
  }
  return { element, update };
}

function note(figures, warm, first) {
  if (!figures.read) return "no task is done yet";
  const groups = [];
  if (figures.warm.tasks) groups.push(`${number(figures.warm.tasks)} warm`);
  if (figures.cold.tasks) {
    const cold = `${number(figures.cold.tasks)} cold`;
    groups.push(warm ? `${cold} (${first.label} ${amount(first, figures.cold.medians[first.name])})` : cold);
  }
  const tasks = figures.warm.tasks + figures.cold.tasks;
  const parts = [
    tasks > 1 ? `medians of ${groups.join(", ")}` : `1 task, ${warm ? "warm" : "cold"}`,
    figures.rss_peak_bytes === null ? null : `${mib(figures.rss_peak_bytes / 2 ** 20)} memory`,
    figures.left_out ? `${counted(figures.left_out, "task")} left out (found images)` : null,
  ];
  return parts.filter(Boolean).join(" · ");
}
