// "Container or function?": the ratios of one job, or of all jobs like it, each a trial.

import { get, jobPath } from "./api.js";
import { el, replace, show, svg } from "./dom.js";
import { counted, number, ratio, title } from "./format.js";

const QUANTITIES = {
  round_trip_s: "Round trip",
  process_s: "Process time",
  latency_s: "Latency",
  cpu_s_per_image: "CPU an image",
};
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
      this.one = comparison;
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
        this.#draw(this.one, "");
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
    const mine = all.filter((one) => one.first === this.job.targets[0] && one.second === this.job.targets[1]);
    const known = (warmth) => mine.filter((one) => one.warmth === warmth && one.geometric_mean !== null);
    const warmth = known("warm").length ? "warm" : "cold";
    const chosen = known(warmth);
    replace(this.cells, Object.keys(QUANTITIES).map((name) => cell(name, chosen.find((one) => one.quantity === name))));
    const text = comparison ? shortNote(comparison, chosen, warmth) : why;
    this.note.textContent = text;
    this.note.title = text;
    replace(this.about, comparison ? longNote(comparison).map((line) => el("p", {}, line)) : null);
  }
}

function cell(name, one) {
  const mean = one?.geometric_mean ?? null;
  const [low, high] = one ? range(one) : [null, null];
  return el(
    "div",
    { class: "ratio-cell" },
    el("span", { class: "name" }, QUANTITIES[name]),
    el("div", {}, el("b", {}, mean === null ? "–" : ratio(mean)), axis(mean, low, high)),
    el("span", { class: "words" }, one ? words(one, low, high) : "\u00a0"),
  );
}

/** The interval of several trials; of one run, which has none, how far its tasks lie apart. */
function range(one) {
  return "trials" in one ? [one.low, one.high] : [one.minimum, one.maximum];
}

function words(one, low, high) {
  const bounds = low === null ? null : `${ratio(low)} to ${ratio(high)}`;
  if ("trials" in one) return [bounds && `95%: ${bounds}`, one.verdict].filter(Boolean).join(" · ") || "too few trials";
  const percent = Math.abs(one.geometric_mean - 1) * 100;
  const difference = percent < 0.5 ? "alike" : `${percent < 10 ? percent.toFixed(1) : number(percent)}% ${one.geometric_mean > 1 ? "more" : "less"}`;
  return bounds ? `${difference} · tasks ${bounds}` : difference;
}

function shortNote(comparison, chosen, warmth) {
  const lost = damaged(comparison);
  const doubted = chosen.some((one) => one.doubt);
  const bias = doubted ? ": may be biased" : "";
  // Of one job that is not done yet every figure is preliminary: no need to say so.
  const without = lost ? `${counted(lost, "damaged record")} left out${bias}` : doubted && comparison.trials ? "may be biased: see Times" : null;
  if (!chosen.length) return without ?? "no task is done on both yet";
  const of = comparison.trials ? counted(comparison.trials.count, "trial") : warmth === "warm" ? counted(chosen[0].pairs, "warm task") : "cold tasks only";
  return [comparison.trials ? null : of, comparison.note, without].filter(Boolean).join(" · ");
}

function damaged(comparison) {
  return comparison.targets.reduce((sum, one) => sum + one.unreadable, 0);
}

function longNote(comparison) {
  const lines = [`${comparison.title}: ${comparison.note}.`];
  for (const one of comparison.parity) {
    if (one.images) lines.push(`Pixels: ${number(one.same_pixels)} of ${number(one.images)} images equal on ${one.first} and ${one.second}, ${number(one.same_bytes)} byte for byte.`);
  }
  if (comparison.differences.length) lines.push(`Not equal on both, so that the figures may tell of these: ${comparison.differences.join("; ")}.`);
  for (const one of comparison.targets) {
    if (one.unreadable) lines.push(`${title(one.target)}: ${number(one.unreadable)} of ${counted(one.tasks + one.unreadable, "record")} left out, since damaged; the first: ${one.why_unreadable}.`);
  }
  const ratios = comparison.trials?.ratios ?? comparison.ratios;
  const doubts = ratios.filter((one) => one.doubt && one.geometric_mean !== null).map((one) => `Ratios of ${one.warmth} tasks may be biased: ${one.doubt}.`);
  lines.push(...comparison.remarks, ...new Set(doubts));
  for (const one of comparison.trials?.ratios ?? []) {
    if (one.note || one.trials_needed) lines.push(`${QUANTITIES[one.quantity] ?? one.quantity}, ${one.warmth}: ${[one.note, one.trials_needed && `about ${one.trials_needed} trials would be needed`].filter(Boolean).join("; ")}.`);
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
