// The images of one target: a grid of which only the rows in sight exist.

import { imagePaths } from "./api.js";
import { el } from "./dom.js";
import { title } from "./format.js";
import { amount, compared } from "./metrics.js";

const OVERSCAN_PX = 400;
const RETRY_MS = [500, 2500]; // a network that changes takes all its requests down; why, an image does not say

export class Tiles {
  /**
   * @param {import("./job_state.js").JobState} state
   * @param {string} target
   * @param {{open: (index: number, target: string) => void, firstShown: () => void}} events
   */
  constructor(state, target, events) {
    this.state = state;
    this.target = target;
    this.events = events;
    this.items = { length: 0, at: (place) => place };
    this.layout = { columns: 1, tile: 64, gap: 6 };
    this.current = 0;
    this.rows = new Map();
    this.broken = new Set();
    this.element = el("div", {
      class: "tiles",
      role: "grid",
      "aria-label": `Images of the ${target}`,
      onclick: (event) => this.#clicked(event),
      onfocusin: (event) => this.#focused(event),
    });
  }

  /** Take other items or another geometry; all rows are made anew. */
  arrange(items, layout) {
    this.items = items;
    this.layout = layout;
    this.rows.clear();
    this.element.replaceChildren();
    const rows = this.rowCount;
    this.element.style.height = `${Math.max(0, rows * this.rowHeight - layout.gap)}px`;
    this.element.style.setProperty("--tile", `${layout.tile}px`);
    this.element.style.setProperty("--gap", `${layout.gap}px`);
    this.element.style.setProperty("--columns", layout.columns);
    this.element.setAttribute("aria-rowcount", rows);
    this.element.setAttribute("aria-colcount", layout.columns);
    this.current = Math.min(this.current, Math.max(0, items.length - 1));
  }

  get rowHeight() {
    return this.layout.tile + this.layout.gap;
  }

  get rowCount() {
    return Math.ceil(this.items.length / this.layout.columns);
  }

  /** Make the rows that are in sight, and drop the others. `top` is where the grid begins, from the window's top. */
  layOut(top, height) {
    const first = Math.max(0, Math.floor((-top - OVERSCAN_PX) / this.rowHeight));
    const last = Math.min(this.rowCount - 1, Math.floor((height - top + OVERSCAN_PX) / this.rowHeight));
    for (const [number, row] of this.rows) {
      if ((number < first || number > last) && !row.contains(document.activeElement)) {
        row.remove();
        this.rows.delete(number);
      }
    }
    for (let number = first; number <= last; number += 1) {
      if (!this.rows.has(number)) this.#addRow(number);
    }
  }

  /** Bring the tiles in sight up to date. */
  refresh() {
    for (const row of this.rows.values()) {
      for (const tile of row.children) this.#update(tile);
    }
  }

  /** The tile of a place in the grid, if it is there now. */
  tileAt(place) {
    const row = this.rows.get(Math.floor(place / this.layout.columns));
    return row?.children[place % this.layout.columns] ?? null;
  }

  /** Make a place the one that Tab comes to, and focus it. */
  focus(place) {
    const before = this.tileAt(this.current);
    if (before) before.tabIndex = -1;
    this.current = place;
    const tile = this.tileAt(place);
    if (tile) {
      tile.tabIndex = 0;
      tile.focus({ preventScroll: true });
    }
    return Boolean(tile);
  }

  #addRow(number) {
    const { columns } = this.layout;
    const row = el("div", { class: "row", role: "row", "aria-rowindex": number + 1 });
    row.style.transform = `translateY(${number * this.rowHeight}px)`;
    const end = Math.min(this.items.length, (number + 1) * columns);
    for (let place = number * columns; place < end; place += 1) {
      const tile = el("div", { class: "tile", role: "gridcell", "aria-colindex": (place % columns) + 1 });
      tile.tabIndex = place === this.current ? 0 : -1;
      tile.dataset.place = place;
      tile.dataset.index = this.items.at(place);
      this.#update(tile);
      row.append(tile);
    }
    // In the order of their numbers, for those who read the page in the order of its elements.
    const next = [...this.rows.entries()].filter(([other]) => other > number).sort(([a], [b]) => a - b)[0];
    this.element.insertBefore(row, next?.[1] ?? null);
    this.rows.set(number, row);
  }

  #update(tile) {
    const index = Number(tile.dataset.index);
    const outcome = this.broken.has(index) ? "unreadable" : this.state.outcome(this.target, index);
    const row = this.state.row(this.target, index);
    const key = `${outcome}${row ? "+" : ""}`;
    if (tile.dataset.key === key) return;
    tile.dataset.key = key;
    tile.dataset.outcome = outcome;
    tile.setAttribute("aria-label", `Image ${index}, ${outcome}`);
    tile.title = tooltip(index, this.target, outcome, row, compared(this.state.job));
    if (outcome === "generated" && !tile.firstChild) this.#addImage(tile, index);
    if (outcome === "unreadable") tile.replaceChildren();
  }

  #addImage(tile, index) {
    const image = new Image(this.layout.tile, this.layout.tile);
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    image.addEventListener("load", () => {
      image.classList.add("loaded");
      this.events.firstShown();
    });
    const { thumbnail } = imagePaths(this.state.job, this.target, index);
    const pauses = [...RETRY_MS];
    image.addEventListener("error", () => {
      if (!image.isConnected) return;
      if (pauses.length) {
        setTimeout(() => image.isConnected && (image.src = thumbnail), pauses.shift());
        return;
      }
      this.broken.add(index);
      this.#update(tile);
    });
    image.src = thumbnail;
    tile.append(image);
  }

  #clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    this.focus(Number(tile.dataset.place));
    this.events.open(Number(tile.dataset.index), this.target);
  }

  #focused(event) {
    const tile = event.target.closest(".tile");
    if (tile) this.current = Number(tile.dataset.place);
  }
}

function tooltip(index, target, outcome, row, metrics) {
  const name = `${title(target)}, image ${index}`;
  if (!row || row.problem) return `${name}: ${outcome}`;
  const start = row.cold ? "cold" : "warm";
  const values = metrics.map((metric) => `${metric.label} ${amount(metric, row.values[metric.name])}`);
  return [name, `task ${row.task}, ${start}`, ...values].join("\n");
}
