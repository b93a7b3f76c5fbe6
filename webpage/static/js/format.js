// How numbers and times are written. Times are milliseconds throughout the page.

import { TARGETS } from "./targets.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export function number(value) {
  return whole.format(value);
}

/** "812 ms"; a dash where there is none. */
export function ms(value) {
  return value === null || value === undefined ? "–" : `${bareMs(value)} ms`;
}

/** The same without its unit, for tables. */
export function bareMs(value) {
  return Math.abs(value) < 100 ? tenth.format(value) : whole.format(value);
}

export function mib(value) {
  return value === null || value === undefined ? "–" : `${whole.format(value)} MiB`;
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${tenth.format(value / 1024)} KiB`;
  return `${tenth.format(value / 1024 ** 2)} MiB`;
}

export function ratio(value) {
  return `${value.toFixed(value < 10 ? 2 : 1)}×`;
}

export function counted(count, noun) {
  return `${whole.format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A stamp in the reader's own time zone. */
export function when(stamp) {
  return moment.format(new Date(stamp));
}

/** "about 12 s", for an estimate. */
export function about(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 120) return `about ${whole.format(seconds)} s`;
  if (seconds < 7200) return `about ${whole.format(seconds / 60)} minutes`;
  return `about ${whole.format(seconds / 3600)} hours`;
}

export function title(target) {
  return TARGETS[target].label;
}
