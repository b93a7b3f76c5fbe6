// "Container or function?": the ratios of one job, or of all jobs like it, each a trial.

import { get, jobPath } from "./api.js";
import { el, replace, show, svg } from "./dom.js";
import { counted, number, ratio, title } from "./format.js";
import { compared, heading } from "./metrics.js";

const SCALE = 4; // the axis runs from 1/4 to 4 times
const EVERY_MS = 3000;

export class Ratios {
  /** @param {object} job with at least two targets */
  constructor(job) {
    this.job = job;
    this.comparedAt = 0;
    this.timer = 0;
    this.trials = null;
    this.cells = el("div", { class: "ratio-cells" });
    this.note = el("p", { class: "note" });
    this.button = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.#toggle() });
    const [first, second] = job.targets;
    this.element = el(
      "section",
      { class: "card versus", "aria-label": "Container or function?" },
      el("div", { class: "versus-head" }, el("h2", {}, `${title(first)} ÷ ${second}`), this.note, this.button),
      this.cells,
    );
    this.about = el("div", { class: "about-ratios note" });
    this.#draw(null, "no task is done on both yet");
  }

  leave() {
    clearTimeout(this.timer);
    this.left = true;
  }

  /** Something is new. The ratios are asked for at most once in a while: each time the server reads records. */
  soon(ended) {
    this.stale = true;
    this.ended = ended;
    if (this.timer || this.asking) return;
    const wait = Math.max(0, this.comparedAt + EVERY_MS - Date.now());
    this.timer = setTimeout(() => this.#ask(), this.comparedAt ? wait : 0);
  }

  async #ask() {
    this.timer = 0;
    this.stale = false;
    this.asking = true;
    this.comparedAt = Date.now();
    const ended = this.ended;
    try {
      const { comparison, why } = await get(`/api${jobPath(this.job.job_id)}/comparison`);
      this.own = comparison;
      if (!this.showsTrials) this.#draw(comparison, why);
    } catch (problem) {
      this.#draw(null, problem.message);
    }
    this.asking = false;
    if (this.left) return;
    if (this.stale) this.soon(this.ended);
    else if (ended) this.#lookForTrials();
  }

  async #lookForTrials() {
    try {
      this.alike = (await get(`/api${jobPath(this.job.job_id)}/trials`)).count;
    } catch {
      return; // the job's own ratios stand; that there may be others is an extra
    }
    show(this.button, this.alike > 1);
    this.button.textContent = `Take all ${number(this.alike)} jobs like it together`;
  }

  async #toggle() {
    this.button.disabled = true;
    try {
      if (this.showsTrials) {
        this.showsTrials = false;
        this.#draw(this.own, "");
      } else {
        this.trials ??= (await get(`/api${jobPath(this.job.job_id)}/trials?compare=1`)).comparison;
        this.showsTrials = true;
        this.#draw(this.trials, "");
      }
      this.button.textContent = this.showsTrials ? "Only this job" : `Take all ${number(this.alike)} jobs like it together`;
    } catch (problem) {
      this.note.textContent = problem.message;
    }
    this.button.disabled = false;
  }

  #draw(comparison, why) {
    const all = comparison ? (comparison.trials?.ratios ?? comparison.ratios) : [];
    const [first, second] = this.job.targets;
    const mine = all.filter((ratio) => ratio.first === first && ratio.second === second);
    const known = (warmth) => mine.filter((ratio) => ratio.warmth === warmth && ratio.geometric_mean !== null);
    const warmth = known("warm").length ? "warm" : "cold";
    const chosen = known(warmth);
    replace(this.cells, compared(this.job).map((metric) => cell(metric, chosen.find((ratio) => ratio.quantity === metric.name))));
    const text = comparison ? shortNote(comparison, chosen, warmth) : why;
    this.note.textContent = text;
    this.note.title = text;
    replace(this.about, comparison ? longNote(comparison, this.job.metrics).map((line) => el("p", {}, line)) : null);
  }
}

function cell(metric, result) {
  const mean = result?.geometric_mean ?? null;
  const [low, high] = result ? range(result) : [null, null];
  return el(
    "div",
    { class: "ratio-cell", title: metric.meaning },
    el("span", { class: "name" }, heading(metric)),
    el("div", {}, el("b", {}, mean === null ? "–" : ratio(mean)), axis(mean, low, high)),
    el("span", { class: "words" }, result ? words(result, low, high) : "\u00a0"),
  );
}

/** The interval of several trials; of one run, which has none, the range of its tasks. */
function range(result) {
  return "trials" in result ? [result.low, result.high] : [result.minimum, result.maximum];
}

function words(result, low, high) {
  const bounds = low === null ? null : `${ratio(low)} to ${ratio(high)}`;
  if ("trials" in result) return [bounds && `95%: ${bounds}`, result.verdict].filter(Boolean).join(" · ") || "too few trials";
  const percent = Math.abs(result.geometric_mean - 1) * 100;
  const difference = percent < 0.5 ? "alike" : `${percent < 10 ? percent.toFixed(1) : number(percent)}% ${result.geometric_mean > 1 ? "more" : "less"}`;
  return bounds ? `${difference} · tasks ${bounds}` : difference;
}

function shortNote(comparison, chosen, warmth) {
  const lost = damaged(comparison);
  const warned = chosen.some((result) => result.doubt);
  const bias = warned ? ": may be biased" : "";
  // Of one job that is not done yet every figure is preliminary: no need to say so.
  const without = lost ? `${counted(lost, "damaged record")} left out${bias}` : warned && comparison.trials ? "may be biased: see Times" : null;
  if (!chosen.length) return without ?? "no task is done on both yet";
  const basis = comparison.trials ? null : warmth === "warm" ? counted(chosen[0].pairs, "warm task") : "cold tasks only";
  return [basis, comparison.note, without].filter(Boolean).join(" · ");
}

function damaged(comparison) {
  return comparison.targets.reduce((sum, summary) => sum + summary.unreadable, 0);
}

function longNote(comparison, metrics) {
  const lines = [`${comparison.title}: ${comparison.note}.`];
  for (const pair of comparison.parity) {
    if (pair.images) lines.push(`Pixels: ${number(pair.same_pixels)} of ${number(pair.images)} images equal on ${pair.first} and ${pair.second}, ${number(pair.same_bytes)} byte for byte.`);
  }
  if (comparison.differences.length) lines.push(`Not equal on both, so that the figures may reflect these: ${comparison.differences.join("; ")}.`);
  for (const summary of comparison.targets) {
    if (summary.unreadable) lines.push(`${title(summary.target)}: ${number(summary.unreadable)} of ${counted(summary.tasks + summary.unreadable, "record")} left out, since damaged; the first: ${summary.why_unreadable}.`);
  }
  const results = comparison.trials?.ratios ?? comparison.ratios;
  const warnings = results.filter((result) => result.doubt && result.geometric_mean !== null).map((result) => `Ratios of ${result.warmth} tasks may be biased: ${result.doubt}.`);
  lines.push(...comparison.remarks, ...new Set(warnings));
  const headings = Object.fromEntries(metrics.map((metric) => [metric.name, heading(metric)]));
  for (const result of comparison.trials?.ratios ?? []) {
    const notes = [result.note, result.trials_needed && `about ${result.trials_needed} trials would be needed`].filter(Boolean);
    if (notes.length) lines.push(`${headings[result.quantity]}, ${result.warmth}: ${notes.join("; ")}.`);
  }
  return lines;
}

/** Where a ratio lies between 1/4 and 4, on a logarithmic axis with 1 in the middle. */
function axis(mean, low, high) {
  const at = (value) => 50 + (50 * Math.log(Math.min(SCALE, Math.max(1 / SCALE, value)))) / Math.log(SCALE);
  return svg(
    "svg",
    { class: "axis", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 100, y1: 6, y2: 6, class: "rule" }),
    svg("line", { x1: 50, x2: 50, y1: 0, y2: 12, class: "one" }),
    mean === null
      ? null
      : svg("rect", { class: `bar ${mean > 1 ? "right" : "left"}`, x: Math.min(50, at(mean)), width: Math.abs(at(mean) - 50), y: 3, height: 6 }),
    low === null ? null : svg("line", { class: "whisker", x1: at(low), x2: at(high), y1: 6, y2: 6 }),
  );
}
