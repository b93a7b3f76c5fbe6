// The form: how many images, of which model, from which seed. Go!

import { get, jobPath, post } from "./api.js";
import { el, replace, show } from "./dom.js";
import { about, counted, title } from "./format.js";
import { TARGETS } from "./targets.js";

const MAX_COUNT = 1e8;
const PRECISIONS = ["auto", "fp32", "bf16", "int8"];
export const DEFAULT_TARGETS = Object.keys(TARGETS).filter((name) => TARGETS[name].default);
const TASK_WORK_S = 30;
const MAX_PER_TASK = 256;

/**
 * Make the form.
 *
 * @param {(path: string, warnings?: string[]) => void} go where to go once the job is accepted
 * @param {object} [job] a job to take the values from
 */
export function goForm(go, job = null) {
  const count = el("input", {
    id: "count", name: "count", type: "number", min: 1, max: MAX_COUNT, step: 1, required: true,
    value: job?.count ?? 64, inputmode: "numeric",
  });
  const model = el("select", { id: "model", name: "model" }, option(job?.model ?? "faces-64"));
  const seed = el("input", {
    id: "seed", name: "seed", inputmode: "numeric", pattern: "[0-9]{1,19}", placeholder: "any",
    autocomplete: "off", title: "A whole number; the same seed gives the same images", value: job?.seed,
  });
  const perTask = el("input", {
    id: "per-task", name: "per-task", type: "number", min: 1, max: MAX_PER_TASK, placeholder: "automatic",
    inputmode: "numeric", value: job ? job.images_per_task : null,
  });
  const precision = el("select", { id: "precision" }, PRECISIONS.map((name) => option(name, name === job?.precision)));
  const params = el("textarea", { id: "params", rows: 3, placeholder: "prompt=a lighthouse at dusk\nsteps=4", spellcheck: "false" });
  params.value = Object.entries(job?.params ?? {}).map(([key, value]) => `${key}=${value}`).join("\n");
  const targets = el("fieldset", { class: "targets" }, el("legend", {}, "Targets"));
  const estimate = el("p", { class: "estimate note", "aria-live": "polite" }, "\u00a0");
  const button = el("button", { class: "go", type: "submit" }, "Go!");
  const message = el("p", { class: "notice bad", role: "alert", hidden: true });
  const fields = [targets, field("Images per task", perTask), field("Precision", precision), field("Parameters, one KEY=VALUE a line", params, "wide")];
  const more = el("div", { class: "fields more", id: "more-fields", hidden: true }, fields);
  const opener = el(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": "more-fields", onclick: () => open(more.hidden) },
    "More",
  );
  const form = el(
    "form",
    { class: "go-form card" },
    el("div", { class: "fields" }, field("Images", count), field("Model", model), field("Seed", seed), button, opener),
    more,
    estimate,
    message,
  );
  let options = null;
  let loading = null;

  function estimateAgain() {
    const wanted = Number(count.value);
    const chosen = options?.models.find((known) => known.name === model.value);
    if (!chosen || !Number.isInteger(wanted) || wanted < 1) return;
    const size = Number(perTask.value) || Math.max(1, Math.min(MAX_PER_TASK, Math.floor(TASK_WORK_S / chosen.seconds_per_image)));
    const work = about(wanted * chosen.seconds_per_image);
    estimate.textContent = `${chosen.resolution} × ${chosen.resolution} pixels · ${counted(Math.ceil(wanted / size), "task")} and ${work} of work for each panel`;
    show(params.parentElement, chosen.takes === null || chosen.takes.length > 0);
  }

  async function fillIn() {
    try {
      options = await get("/api/form-options");
    } catch (problem) {
      fail(problem.message);
      return;
    }
    const chosen = job?.model ?? options.default_model;
    const names = options.models.map((known) => known.name);
    if (job && !names.includes(job.model)) names.push(job.model);
    replace(model, names.map((name) => option(name, name === chosen)));
    const wanted = job?.targets ?? DEFAULT_TARGETS;
    targets.append(...options.targets.map((target) => checkbox(target, wanted.includes(target))));
    if (options.cannot_submit) {
      button.disabled = true;
      fail(`Browsing only. ${sentence(options.cannot_submit)}`);
    }
    estimateAgain();
  }

  function open(wanted) {
    show(more, wanted);
    opener.setAttribute("aria-expanded", String(wanted));
    opener.textContent = wanted ? "Less" : "More";
  }

  function fail(text) {
    message.textContent = text;
    show(message, true);
  }

  async function submit(event) {
    event.preventDefault();
    if (button.disabled) return;
    show(message, false);
    button.disabled = true;
    button.textContent = "Sending…";
    performance.mark("diptych-go");
    try {
      // Who is quick presses Go! before the options are there; where that failed, they are asked for again.
      await loading;
      if (!options) await fillIn();
      if (!options || options.cannot_submit) return;
      const done = await post("/api/jobs", {
        count: Number(count.value),
        model: model.value,
        seed: seed.value.trim() || null,
        targets: [...targets.querySelectorAll("input:checked")].map((box) => box.value),
        precision: precision.value,
        images_per_task: perTask.value ? Number(perTask.value) : null,
        params: parsed(params.value),
      });
      go(jobPath(done.job_id), done.warnings);
    } catch (problem) {
      fail(sentence(problem.message));
    } finally {
      button.disabled = Boolean(options?.cannot_submit);
      button.textContent = "Go!";
    }
  }

  form.addEventListener("submit", submit);
  form.addEventListener("input", estimateAgain);
  loading = fillIn();
  return form;
}

/** KEY=VALUE lines, values read as JSON where they are numbers, true, false or null; as `--param` does. */
function parsed(text) {
  const params = {};
  for (const line of text.split("\n").filter((text) => text.trim())) {
    const [key, ...rest] = line.split("=");
    const value = rest.join("=").trim();
    if (!rest.length || !key.trim()) throw new Error(`Parameters: ${JSON.stringify(line)} is no KEY=VALUE`);
    let read = value;
    try {
      const json = JSON.parse(value);
      if (json === null || ["number", "boolean"].includes(typeof json)) read = json;
    } catch {
      read = value;
    }
    params[key.trim()] = read;
  }
  return params;
}

function field(label, input, kind = "") {
  return el("label", { class: `field ${kind}`, for: input.id }, el("span", {}, label), input);
}

function option(name, selected = false) {
  return el("option", { value: name, selected }, name);
}

function checkbox(target, checked) {
  return el("label", { class: "check" }, el("input", { type: "checkbox", value: target, checked }), title(target));
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}
