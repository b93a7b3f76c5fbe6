// One image, full size, with all that is known of it, and the other panel's beside it.

import { differencePath, get, imagePaths, jobPath } from "./api.js";
import { announce, el, replace } from "./dom.js";
import { bytes, number, title, when } from "./format.js";
import { amount, heading, standalone } from "./metrics.js";

export class ImageDialog {
  /**
   * @param {object} job
   * @param {{neighbour: (index: number, step: number) => number | null, closed: (index: number, target: string) => void}} events
   */
  constructor(job, events) {
    this.job = job;
    this.events = events;
    this.heading = el("h2", { id: "dialog-title" });
    this.previous = this.#step("‹", "Previous image (left arrow)", -1);
    this.next = this.#step("›", "Next image (right arrow)", 1);
    const crisp = el("input", { type: "checkbox", onchange: () => this.element.classList.toggle("crisp", crisp.checked) });
    this.body = el("div", { class: "dialog-body" });
    this.element = el(
      "dialog",
      { class: "image-dialog", "aria-labelledby": "dialog-title", onclose: () => this.#closed(), onkeydown: (event) => this.#key(event), onclick: (event) => this.#outside(event) },
      el(
        "header",
        {},
        this.heading,
        el("label", { class: "check" }, crisp, "Show pixels"),
        this.previous,
        this.next,
        el("button", { type: "button", class: "quiet icon", "aria-label": "Close (Escape)", onclick: () => this.element.close() }, "✕"),
      ),
      this.body,
    );
    this.index = null;
    this.asked = new AbortController();
  }

  open(index, target) {
    this.target = target;
    this.#show(index);
    if (!this.element.open) this.element.showModal();
  }

  leave() {
    this.asked.abort();
    if (this.element.open) this.element.close();
  }

  async #show(index) {
    this.index = index;
    this.asked.abort();
    this.asked = new AbortController();
    this.heading.textContent = `Image ${number(index)}`;
    this.previous.disabled = this.events.neighbour(index, -1) === null;
    this.next.disabled = this.events.neighbour(index, 1) === null;
    const url = new URL(location.href);
    url.searchParams.set("image", index);
    history.replaceState({}, "", url);
    const pictures = this.#pictures();
    const facts = el("div", { class: "facts" }, el("p", { class: "note" }, "Reading…"));
    replace(this.body, pictures.element, facts);
    this.body.scrollTop = 0;
    announce(`Image ${index}`);
    try {
      const detail = await get(`/api${jobPath(this.job.job_id)}/images/${index}`, this.asked.signal);
      pictures.update(detail);
      replace(facts, factsOf(detail, this.job));
    } catch (problem) {
      if (problem.name !== "AbortError") replace(facts, el("p", { class: "notice bad", role: "alert" }, problem.message));
    }
  }

  /** Frames of a fixed size, so that nothing moves as the pictures come. */
  #pictures() {
    const { targets } = this.job;
    const frames = targets.map((target) => {
      const message = el("p", { class: "message" });
      const image = picture(imagePaths(this.job, target, this.index).image, `Image ${this.index} by the ${target}`, () => {
        message.textContent ||= "cannot be shown";
      });
      const figure = el("figure", { "data-target": target }, el("div", { class: "frame" }, image, message), el("figcaption", {}, title(target)));
      return { target, figure, message };
    });
    const caption = el("figcaption", {}, "Difference");
    const message = el("p", { class: "message" });
    const frame = el("div", { class: "frame difference" }, message);
    const element = el("div", { class: "pictures", "data-count": targets.length }, frames.map(({ figure }) => figure));
    if (targets.length > 1) element.insertBefore(el("figure", { class: "between" }, frame, caption), element.children[1]);
    const update = (detail) => {
      for (const { target, figure, message: reason } of frames) {
        const side = detail.targets[target];
        if (side.state === "ok") continue;
        figure.dataset.state = side.state;
        reason.textContent = side.message;
      }
      this.#difference(detail.similarity, frame, message, caption);
    };
    return { element, update };
  }

  #difference(similarity, frame, message, caption) {
    if (!similarity || similarity.problem) {
      message.textContent = similarity?.problem ?? "needs both pictures";
    } else if (similarity.psnr_db === null) {
      message.textContent = "Equal, pixel for pixel";
      frame.classList.add("equal");
    } else {
      frame.append(picture(differencePath(this.job, this.index), "Where the two differ", () => {}));
      caption.textContent = `Difference × ${similarity.gain} · ${similarity.psnr_db.toFixed(1)} dB PSNR · at most ${similarity.largest} of 255, in ${(similarity.differing * 100).toFixed(1)}% of pixels`;
    }
  }

  #step(text, label, by) {
    return el("button", { type: "button", class: "quiet icon", "aria-label": label, onclick: () => this.#move(by) }, text);
  }

  #move(by) {
    const index = this.events.neighbour(this.index, by);
    if (index !== null) this.#show(index);
  }

  #key(event) {
    if (event.target.matches("input[type=text], textarea")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#move(by);
  }

  #outside(event) {
    if (event.target === this.element) this.element.close();
  }

  #closed() {
    this.asked.abort();
    const url = new URL(location.href);
    url.searchParams.delete("image");
    history.replaceState({}, "", url);
    this.events.closed(this.index, this.target);
  }
}

function picture(source, alt, onFail) {
  const image = new Image();
  image.alt = alt;
  image.decoding = "async";
  image.addEventListener("load", () => image.classList.add("loaded"));
  image.addEventListener("error", () => {
    image.remove();
    onFail();
  });
  image.src = source;
  return image;
}

function factsOf(detail, job) {
  const targets = Object.keys(detail.targets);
  const heads = el("tr", {}, el("td"), targets.map((target) => el("th", { scope: "col", "data-target": target }, title(target))));
  const times = standalone(job).map((metric) => [heading(metric), (side) => side.row && amount(metric, side.row.values[metric.name])]);
  const rows = [...times, ...ROWS].map(([name, read]) => {
    const cells = targets.map((target) => read(detail.targets[target], job, target, detail));
    if (cells.every((cell) => cell === null || cell === undefined)) return null;
    return el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", {}, cell ?? "–")));
  });
  return [
    el("table", { class: "fact-table" }, el("thead", {}, heads), el("tbody", {}, rows)),
    el("h3", {}, "Generate it again"),
    detail.commands.map(({ what, command }) => commandLine(what, command)),
  ];
}

const ROWS = [
  ["Its task", (side, job, target, detail) => side.row && `task ${detail.task}, ${side.row.cold ? "cold" : "warm"}, ${number(side.row.images)} images`],
  ["Model", (side) => side.provenance?.model],
  ["Model digest", (side) => side.provenance && code(side.provenance.model_digest)],
  ["Seed, index", (side) => side.provenance && `${side.provenance.seed}, ${side.provenance.index}`],
  ["Image's own seed", (side) => side.seed],
  ["Parameters", (side) => side.provenance && Object.keys(side.provenance.params).length > 0 ? code(JSON.stringify(side.provenance.params)) : null],
  ["Engine", (side) => side.provenance && `${side.worker?.engine ?? side.provenance.engine}, ${side.provenance.precision}, ${side.provenance.isa}`],
  ["CPU", (side) => side.worker?.cpu],
  ["Instance", (side) => side.worker && `${side.worker.instance}, revision ${side.worker.revision}`],
  ["Delivery", (side) => side.worker && `attempt ${side.worker.attempt ?? "unknown"}`],
  ["Recorded", (side) => side.worker && when(side.worker.recorded_at)],
  ["Size", (side) => side.width && `${side.width} × ${side.height}, ${bytes(side.bytes)}`],
  ["SHA-256", (side) => side.sha256 && code(side.sha256)],
  ["SHA-256 recorded", (side) => side.recorded_sha256 && code(side.recorded_sha256)],
  ["SHA-256 of its pixels", (side) => side.pixel_sha256 && code(side.pixel_sha256)],
  ["Where", (side) => code(side.object)],
  ["Keep", (side, job, target, detail) => side.sha256 && el("a", { href: imagePaths(job, target, detail.index).original, download: true }, "Download the PNG")],
];

function code(text) {
  return el("code", { title: text }, text);
}

/** A command with a button that copies it. */
export function commandLine(what, command) {
  const button = el("button", { type: "button", class: "quiet", onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  return el("div", { class: "command" }, el("span", { class: "note" }, what), el("div", {}, el("code", {}, command), button));
}
