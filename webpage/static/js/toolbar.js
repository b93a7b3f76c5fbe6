// What is shown of a job, and how: images or times, which of them, how large.

import { el, replace, show } from "./dom.js";
import { number, title } from "./format.js";

const SIZES = [["auto", "Fit"], ["small", "S"], ["medium", "M"], ["large", "L"]];
const OUTCOMES = [
  ["", "All images"],
  ["generated", "Generated"],
  ["waiting", "Waiting"],
  ["failed", "Failed"],
  ["cold", "Of cold tasks"],
  ["warm", "Of warm tasks"],
];
const FILTERED = 200000; // more than these are not looked through one by one

/**
 * @param {import("./job_state.js").JobState} state
 * @param {import("./panels.js").Panels} panels
 * @param {(name: "images" | "timing") => void} onTab
 */
export function toolbar(state, panels, onTab) {
  const { job } = state;
  const tabs = [["images", "Images"], ["timing", "Times"]].map(([name, text]) =>
    el("button", { type: "button", role: "tab", "data-tab": name, onclick: () => choose(name) }, text),
  );
  const tablist = el("div", { class: "tabs", role: "tablist", "aria-label": "What to see", onkeydown: arrowBetween }, tabs);
  const outcome = el("select", { "aria-label": "Which images", onchange: filter }, OUTCOMES.map(([value, text]) => el("option", { value }, text)));
  const target = el(
    "select",
    { "aria-label": "Which panels", onchange: filter },
    el("option", { value: "" }, job.targets.length > 2 ? "All panels" : "Both panels"),
    job.targets.map((name) => el("option", { value: name }, title(name))),
  );
  const size = el(
    "div",
    { class: "sizes", role: "group", "aria-label": "Size of the images" },
    SIZES.map(([value, text]) => el("button", { type: "button", "data-size": value, "aria-pressed": String(value === "auto"), onclick: () => resize(value) }, text)),
  );
  const place = el("input", { type: "number", min: 0, max: job.count - 1, placeholder: "Image…", "aria-label": "Go to an image" });
  const jump = el("form", { class: "jump", onsubmit: goTo }, place);
  const pager = el("nav", { class: "pager", "aria-label": "Pages of images", hidden: true });
  const tools = el("div", { class: "tools" }, pager, jump, outcome, job.targets.length > 1 ? target : null, size);

  function choose(name) {
    for (const tab of tabs) {
      const chosen = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    show(tools, name === "images");
    onTab(name);
  }

  function arrowBetween(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tabs.find((tab) => tab !== event.target.closest("[role=tab]"));
    other.focus();
    choose(other.dataset.tab);
  }

  function filter() {
    const shown = target.value ? [target.value] : [...job.targets];
    const wanted = outcome.value;
    panels.setFilter(wanted ? (index) => shown.some((name) => matches(name, index, wanted)) : null, shown);
    drawPager();
  }

  function matches(name, index, wanted) {
    if (wanted === "cold" || wanted === "warm") {
      const row = state.row(name, index);
      return Boolean(row) && !row.problem && row.cold === (wanted === "cold");
    }
    return state.outcome(name, index) === wanted;
  }

  function resize(value) {
    panels.size = value;
    for (const button of size.children) button.setAttribute("aria-pressed", String(button.dataset.size === value));
    panels.arrange();
  }

  function goTo(event) {
    event.preventDefault();
    if (place.value !== "" && panels.reveal(Number(place.value))) drawPager();
  }

  function drawPager() {
    const pages = panels.pageCount;
    show(pager, pages > 1);
    const step = (by, text) => el("button", { type: "button", class: "quiet", "aria-label": by < 0 ? "Earlier images" : "Later images", disabled: panels.page + by < 0 || panels.page + by >= pages, onclick: () => turn(by) }, text);
    replace(pager, step(-1, "‹"), el("span", {}, `Page ${number(panels.page + 1)} of ${number(pages)}`), step(1, "›"));
  }

  function turn(by) {
    panels.page += by;
    panels.arrange();
    drawPager();
  }

  if (job.count > FILTERED) outcome.disabled = true;
  const element = el("div", { class: "toolbar" }, tablist, tools);
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === "images"));
    tab.tabIndex = tab.dataset.tab === "images" ? 0 : -1;
  }
  return {
    element,
    choose,
    refresh: () => {
      if (!pager.hidden || panels.matching) drawPager();
    },
  };
}
