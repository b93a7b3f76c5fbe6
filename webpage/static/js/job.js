// A job: its form for the next one, how far it is, its panels, its times. Fills as news come.

import { get, jobPath, post } from "./api.js";
import { commandLine, ImageDialog } from "./dialog.js";
import { announce, el, replace, show } from "./dom.js";
import { counted, number, when } from "./format.js";
import { goForm } from "./form.js";
import { JobState } from "./job_state.js";
import { status } from "./jobs.js";
import { Panels } from "./panels.js";
import { Ratios } from "./ratios.js";
import { follow } from "./stream.js";
import { toolbar } from "./toolbar.js";
import { Waterfall } from "./waterfall.js";

export function jobView(jobId, go, warnings = []) {
  const element = el("div", { class: "job-view" }, el("p", { class: "loading note" }, "Reading the job…"));
  let view = null;
  let left = false;
  get(`/api${jobPath(jobId)}`)
    .then((job) => {
      if (left) return;
      view = new JobView(job, go, warnings);
      replace(element, view.element);
      view.entered();
    })
    .catch((problem) => replace(element, missing(jobId, problem, go)));
  return {
    element,
    title: jobId,
    leave: () => {
      left = true;
      view?.leave();
    },
  };
}

function missing(jobId, problem, go) {
  const heading = problem.status === 404 ? "There is no such job" : "This job cannot be read";
  return [
    goForm(go),
    el(
      "section",
      { class: "card problem" },
      el("h1", {}, heading),
      el("p", { class: "notice bad", role: "alert" }, problem.message),
      el("p", {}, el("a", { href: "/jobs", "data-link": true }, "See all jobs")),
    ),
  ];
}

class JobView {
  constructor(job, go, warnings) {
    this.job = job;
    this.state = new JobState(job);
    this.dialog = new ImageDialog(job, {
      neighbour: (index, step) => this.panels.neighbour(index, step),
      closed: (index, target) => this.panels.reveal(index, target),
    });
    this.panels = new Panels(this.state, { open: (index, target) => this.dialog.open(index, target), firstShown: firstShown(job) });
    this.waterfall = new Waterfall(this.state);
    this.ratios = job.targets.length > 1 ? new Ratios(job) : null;
    this.toolbar = toolbar(this.state, this.panels, (name) => this.#tab(name));
    this.status = el("span", { class: "status-place" }, status("queued"));
    this.trouble = el("p", { class: "notice bad", role: "alert", hidden: true });
    this.problems = el("ul", { class: "problems", hidden: true });
    this.cancel = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.#cancel() }, "Cancel the job");
    this.images = el("div", {}, this.panels.element, this.panels.nothing);
    this.timing = el("div", { hidden: true }, this.waterfall.element, this.ratios?.about);
    this.element = [
      goForm(go, job),
      this.#header(),
      warnings.map((text) => el("p", { class: "notice", role: "status" }, text)),
      this.trouble,
      this.problems,
      this.ratios?.element,
      this.toolbar.element,
      this.images,
      this.timing,
      this.dialog.element,
    ];
  }

  entered() {
    this.panels.entered();
    this.stop = follow(this.job.job_id, (news) => this.#take(news), (up) => this.#connection(up));
    const asked = new URLSearchParams(location.search);
    if (asked.get("view") === "timing") this.toolbar.choose("timing");
    const image = asked.get("image");
    if (image !== null && /^\d+$/.test(image) && Number(image) < this.job.count) this.dialog.open(Number(image), this.job.targets[0]);
  }

  leave() {
    this.stop?.();
    this.ratios?.leave();
    this.panels.leave();
    this.dialog.leave();
  }

  #header() {
    const { job } = this;
    const request = [counted(job.count, "image"), job.model, `seed ${job.seed}`, `${counted(job.tasks, "task")} of ${number(job.images_per_task)}`];
    return el(
      "section",
      { class: "job-head" },
      el("div", { class: "job-name" }, el("h1", {}, job.job_id), this.status, this.cancel),
      el("p", { class: "note" }, request.join(" · "), " · ", el("time", { datetime: job.submitted_at }, when(job.submitted_at))),
      el(
        "details",
        { class: "about" },
        el("summary", {}, "In a terminal"),
        commandLine("Submit the same request", job.command),
        commandLine("Follow it", `diptych watch ${job.job_id}`),
        commandLine("Compare its targets", `diptych results compare ${job.job_id}`),
      ),
    );
  }

  #take(news) {
    const before = this.state.state?.status;
    this.state.take(news);
    const { state } = this.state;
    this.#say(state.trouble);
    if (!this.state.known) return;
    if (before !== state.status) {
      replace(this.status, status(state.status));
      announce(`The job is ${state.status}`);
    }
    show(this.cancel, !state.ended);
    this.#problems(state);
    this.panels.refresh();
    this.toolbar.refresh();
    if (!this.timing.hidden) this.waterfall.refresh();
    if (news.rows.length || state.ended) this.ratios?.soon(state.ended);
  }

  #problems(state) {
    const lines = [
      ...state.problems.map(({ target, task, state: outcome, reason }) => `${target}, task ${task} ${outcome}: ${reason}`),
      ...state.hints,
      ...this.state.rows.filter((row) => row.problem).slice(0, 5).map((row) => row.problem),
    ];
    replace(this.problems, lines.map((line) => el("li", {}, line)));
    show(this.problems, lines.length > 0);
  }

  #say(trouble) {
    this.trouble.textContent = trouble;
    show(this.trouble, Boolean(trouble));
  }

  #connection(up) {
    if (!up) this.#say("The page's server does not answer. Trying again…");
    else if (!this.state.state?.trouble) this.#say("");
  }

  async #cancel() {
    this.cancel.disabled = true;
    try {
      await post(`/api${jobPath(this.job.job_id)}/cancel`, {});
    } catch (problem) {
      this.#say(problem.message);
    }
    this.cancel.disabled = false;
  }

  #tab(name) {
    show(this.images, name === "images");
    show(this.timing, name === "timing");
    if (name === "images") this.panels.arrange();
    else this.waterfall.refresh();
    const url = new URL(location.href);
    if (name === "images") url.searchParams.delete("view");
    else url.searchParams.set("view", name);
    history.replaceState({}, "", url);
  }
}

/** Measure once from Go! to the first image that is there to see. */
function firstShown(job) {
  let marked = false;
  return () => {
    if (marked) return;
    marked = true;
    performance.mark("diptych-first-image", { detail: job.job_id });
  };
}
