// The list of jobs, with its filters. They are part of the address, so that they can be kept and shared.

import { get, jobPath } from "./api.js";
import { announce, el, replace, show } from "./dom.js";
import { counted, number, title, when } from "./format.js";
import { TARGETS } from "./targets.js";

const PAGE = 50;
const OUTCOMES = ["queued", "running", "succeeded", "partial", "failed", "cancelled", "unreadable"];
const TYPING_MS = 250;

export function jobsView(go) {
  const chosen = new URLSearchParams(location.search);
  const inputs = {
    text: el("input", { id: "f-text", type: "search", placeholder: "part of its name", value: chosen.get("text") }),
    model: select("f-model", "any model", [], chosen.get("model")),
    seed: el("input", { id: "f-seed", inputmode: "numeric", placeholder: "any", value: chosen.get("seed"), size: 8 }),
    target: select("f-target", "any", Object.keys(TARGETS), chosen.get("target")),
    outcome: select("f-outcome", "any", OUTCOMES, chosen.get("outcome")),
    from: el("input", { id: "f-from", type: "date", value: chosen.get("from") }),
    to: el("input", { id: "f-to", type: "date", value: chosen.get("to") }),
  };
  const labels = { text: "Job", model: "Model", seed: "Seed", target: "Target", outcome: "Outcome", from: "From", to: "To" };
  const filters = el(
    "form",
    { class: "filters card", role: "search", "aria-label": "Filter the jobs" },
    Object.entries(inputs).map(([name, input]) => el("label", { class: "field", for: input.id }, el("span", {}, labels[name]), input)),
    el("button", { type: "reset", class: "quiet" }, "Clear"),
  );
  const summary = el("p", { class: "note", role: "status" }, "Reading the store…");
  const list = el("ul", { class: "jobs" });
  const more = el("button", { type: "button", class: "more-jobs", hidden: true }, "Show more");
  const message = el("p", { class: "notice bad", role: "alert", hidden: true });
  let shown = 0;
  let asked = new AbortController();
  let timer = 0;

  function query() {
    const entries = Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]);
    return new URLSearchParams(entries.filter(([, value]) => value));
  }

  async function load({ anew }) {
    asked.abort();
    asked = new AbortController();
    const wanted = query();
    history.replaceState({}, "", wanted.size ? `/jobs?${wanted}` : "/jobs");
    wanted.set("limit", PAGE);
    wanted.set("offset", anew ? 0 : shown);
    list.setAttribute("aria-busy", "true");
    try {
      const page = await get(`/api/jobs?${wanted}`, asked.signal);
      if (anew) list.replaceChildren();
      list.append(...page.jobs.map(jobRow));
      shown = (anew ? 0 : shown) + page.jobs.length;
      listModels(page.models);
      say(page);
      show(more, page.more);
      show(message, false);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      message.textContent = problem.message;
      show(message, true);
      summary.textContent = "";
    }
    list.removeAttribute("aria-busy");
  }

  function listModels(models) {
    const value = inputs.model.value || chosen.get("model") || "";
    replace(inputs.model, el("option", { value: "" }, "any model"), models.map((name) => el("option", { value: name, selected: name === value }, name)));
    if (value && !models.includes(value)) inputs.model.append(el("option", { value, selected: true }, value));
  }

  function say({ total, more: thereAreMore }) {
    const count = total ?? shown;
    const none = query().size ? "No job is like that." : "No jobs yet. Ask for some images on the front page.";
    summary.textContent = count ? counted(count, "job") + (total === null && thereAreMore ? " and more" : "") : none;
    announce(summary.textContent);
  }

  filters.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => load({ anew: true }), TYPING_MS);
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const input of Object.values(inputs)) input.value = "";
    load({ anew: true });
  });
  more.addEventListener("click", () => load({ anew: false }));
  load({ anew: true });
  const element = el("div", { class: "jobs-view" }, el("h1", {}, "Jobs"), filters, message, summary, list, more);
  return {
    element,
    title: "Jobs",
    leave: () => {
      clearTimeout(timer);
      asked.abort();
    },
  };
}

/** One job in a list. */
export function jobRow(job) {
  if (job.problem) {
    return el("li", { class: "job bad" }, el("span", { class: "name" }, job.job_id || "(no name)"), status(job.status), el("span", { class: "what" }, job.problem));
  }
  const panels = Object.entries(job.targets).map(([target, done]) =>
    el("span", { class: "done", "data-target": target }, `${title(target)} `, el("b", {}, number(done)), done < job.count ? ` of ${number(job.count)}` : ""),
  );
  return el(
    "li",
    { class: "job" },
    el("a", { class: "name", href: jobPath(job.job_id), "data-link": true }, job.job_id),
    status(job.status),
    el("span", { class: "what" }, `${counted(job.count, "image")} · ${job.model} · seed ${job.seed}`),
    el("span", { class: "panels-done" }, panels),
    el("time", { datetime: job.submitted_at }, when(job.submitted_at)),
  );
}

/** A job in one word. */
export function status(word) {
  return el("span", { class: "status", "data-status": word }, word);
}

function select(id, any, names, value) {
  const options = names.map((name) => el("option", { value: name, selected: name === value }, name));
  return el("select", { id }, el("option", { value: "" }, any), options);
}
