// The panels side by side: same places, same images, one geometry, one keyboard.

import { el, perFrame, replace, show } from "./dom.js";
import { number, title } from "./format.js";
import { panelFigures } from "./figures.js";
import { TARGETS } from "./targets.js";
import { Tiles } from "./tiles.js";

const GAP = 4;
const WINDOW = 20000; // images between two pages: browsers cannot scroll through hundreds of millions of pixels
const SIZES = { small: 48, medium: 84, large: 140 };

export class Panels {
  /**
   * @param {import("./job_state.js").JobState} state
   * @param {{open: (index: number, target: string) => void, firstShown: () => void}} events
   */
  constructor(state, events) {
    this.state = state;
    this.size = "auto";
    this.page = 0;
    this.filter = null;
    this.shown = [...state.job.targets];
    this.panels = state.job.targets.map((target) => this.#panel(target, events));
    this.element = el(
      "div",
      { class: "panels", onkeydown: (event) => this.#key(event) },
      this.panels.map((panel) => panel.element),
    );
    this.nothing = el("p", { class: "empty", hidden: true }, "No image of this job is like that.");
    this.layOutSoon = perFrame(() => this.layOut());
    this.observer = new ResizeObserver(perFrame(() => this.arrange()));
  }

  entered() {
    addEventListener("scroll", this.layOutSoon, { passive: true });
    this.observer.observe(this.element);
    this.arrange();
  }

  leave() {
    removeEventListener("scroll", this.layOutSoon);
    this.observer.disconnect();
  }

  /** @param {null | ((index: number) => boolean)} filter images to show; null: all */
  setFilter(filter, shown) {
    this.filter = filter;
    this.shown = shown;
    this.page = 0;
    this.arrange();
  }

  get pageCount() {
    return Math.max(1, Math.ceil(this.matching.length / WINDOW));
  }

  arrange() {
    this.matching = this.#match();
    const start = this.page * WINDOW;
    const items = {
      length: Math.min(WINDOW, this.matching.length - start),
      at: this.filter ? (place) => this.matching[start + place] : (place) => start + place,
    };
    for (const panel of this.panels) show(panel.element, this.shown.includes(panel.target));
    this.element.style.setProperty("--panels", this.shown.length);
    const layout = this.#layout(items.length);
    for (const panel of this.#visible) panel.tiles.arrange(items, layout);
    show(this.nothing, items.length === 0);
    this.items = items;
    this.layOut();
  }

  layOut() {
    for (const { tiles } of this.#visible) {
      tiles.layOut(tiles.element.getBoundingClientRect().top, innerHeight);
    }
  }

  /** The job has gone on. */
  refresh() {
    if (this.filter && this.#match().length !== this.matching.length) this.arrange();
    for (const panel of this.panels) {
      panel.update();
      panel.tiles.refresh();
    }
  }

  /** Bring an image into sight and focus it. */
  reveal(index, target = this.shown[0]) {
    const place = this.filter ? this.matching.indexOf(index) : index;
    if (place < 0 || place >= this.matching.length) return false;
    const page = Math.floor(place / WINDOW);
    if (page !== this.page) {
      this.page = page;
      this.arrange();
    }
    this.#focus(this.panels.find((panel) => panel.target === target) ?? this.#visible[0], place - page * WINDOW);
    return true;
  }

  /** The image `step` places on from `index`, or null at the end. */
  neighbour(index, step) {
    const place = (this.filter ? this.matching.indexOf(index) : index) + step;
    if (place < 0 || place >= this.matching.length) return null;
    return this.filter ? this.matching[place] : place;
  }

  /** The images that the filter lets through; without one, only how many there are. */
  #match() {
    const all = { length: this.state.job.count };
    return this.filter ? Array.from(all, (_, index) => index).filter(this.filter) : all;
  }

  get #visible() {
    return this.panels.filter((panel) => this.shown.includes(panel.target));
  }

  #panel(target, events) {
    const tiles = new Tiles(this.state, target, events);
    const figures = panelFigures(this.state, target);
    const count = el("span", { class: "count" });
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Progress of the ${target}` });
    const element = el(
      "section",
      { class: "panel", "data-target": target, "aria-label": title(target) },
      el("header", {}, el("h2", {}, title(target)), el("small", {}, TARGETS[target].server), count, bar),
      figures.element,
      tiles.element,
    );
    const update = () => {
      const part = this.state.known ? this.state.state.targets[target] : null;
      const seen = part ? part.images_done + part.seen_images.reduce((sum, [a, b]) => sum + b - a + 1, 0) : 0;
      replace(count, el("b", {}, number(seen)), ` of ${number(this.state.job.count)}`);
      bar.value = Math.min(1, seen / this.state.job.count);
      figures.update();
    };
    update();
    return { target, element, tiles, update };
  }

  #layout(count) {
    const inner = this.#visible[0]?.tiles.element.clientWidth || 320;
    const wanted = this.size === "auto" ? automatic(count, inner) : Math.min(SIZES[this.size], inner / 2);
    const columns = Math.max(2, Math.round((inner + GAP) / (wanted + GAP)));
    return { columns, tile: (inner + GAP) / columns - GAP, gap: GAP };
  }

  #focus(panel, place) {
    const { tiles } = panel;
    const top = tiles.element.getBoundingClientRect().top + Math.floor(place / tiles.layout.columns) * tiles.rowHeight;
    const head = panel.element.querySelector("header").offsetHeight + 8;
    if (top < head) scrollBy(0, top - head);
    else if (top + tiles.rowHeight > innerHeight) scrollBy(0, top + tiles.rowHeight - innerHeight + 8);
    this.layOut();
    tiles.focus(place);
  }

  #key(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const panel = this.#visible.find(({ tiles }) => tiles.element.contains(tile));
    const place = Number(tile.dataset.place);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      tile.click();
      return;
    }
    const next = this.#next(panel, place, event.key);
    if (!next) return;
    event.preventDefault();
    this.#focus(next.panel, Math.max(0, Math.min(this.items.length - 1, next.place)));
  }

  /** Where a key leads. Left and right go on into the other panel, to the same row. */
  #next(panel, place, key) {
    const { columns } = panel.tiles.layout;
    const column = place % columns;
    const panels = this.#visible;
    const number = panels.indexOf(panel);
    const page = Math.max(1, Math.floor(innerHeight / panel.tiles.rowHeight) - 1) * columns;
    if (key === "ArrowRight" && column === columns - 1 && panels[number + 1]) {
      return { panel: panels[number + 1], place: place - column };
    }
    if (key === "ArrowLeft" && column === 0 && panels[number - 1]) {
      return { panel: panels[number - 1], place: place + columns - 1 };
    }
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
      Home: -place,
      End: this.items.length,
    };
    return key in steps ? { panel, place: place + steps[key] } : null;
  }
}

/** Few images are shown large, many small. */
function automatic(count, inner) {
  const least = inner < 260 ? 48 : 56;
  return Math.max(least, Math.min(132, inner / Math.ceil(Math.sqrt(count))));
}
