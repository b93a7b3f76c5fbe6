// The front page: the form, two empty panels that wait for images, and the latest jobs.

import { get } from "./api.js";
import { DEFAULT_TARGETS, goForm } from "./form.js";
import { el, replace } from "./dom.js";
import { title } from "./format.js";
import { jobRow } from "./jobs.js";

const LATEST = 5;

export function homeView(go, found) {
  const latest = el("section", { class: "latest" });
  const element = el(
    "div",
    { class: "home" },
    found ? null : el("p", { class: "notice bad", role: "alert" }, "There is no such page. This is the front page."),
    el(
      "section",
      { class: "hero" },
      el("h1", {}, "One batch, generated twice"),
      el("p", {}, "By a container and by a serverless function, side by side, each timed from the queue to the store."),
    ),
    goForm(go),
    el("div", { class: "panels waiting", "aria-hidden": "true" }, DEFAULT_TARGETS.map(emptyPanel)),
    latest,
  );
  const stop = new AbortController();
  get(`/api/jobs?limit=${LATEST}`, stop.signal)
    .then(({ jobs }) => {
      if (!jobs.length) return;
      replace(
        latest,
        el("header", {}, el("h2", {}, "Latest jobs"), el("a", { href: "/jobs", "data-link": true }, "All jobs")),
        el("ul", { class: "jobs" }, jobs.map(jobRow)),
      );
    })
    .catch(() => {}); // the form says what is wrong, and a list that is not there harms nobody
  return { element, title: "New job", leave: () => stop.abort() };
}

function emptyPanel(target) {
  const tiles = Array.from({ length: 16 }, () => el("div", { class: "tile" }));
  return el(
    "section",
    { class: "panel", "data-target": target },
    el("header", {}, el("h2", {}, title(target)), el("span", { class: "count" }, "waits for its first job")),
    el("div", { class: "tiles ghost" }, tiles),
  );
}
