// The metrics of a job's tasks, as the server describes them: names, labels, units, order.

import { bareMs, mib, ms } from "./format.js";

/** Those that stand alone: a column of the table of tasks each. */
export function standalone(job) {
  return job.metrics.filter((metric) => !metric.part_of);
}

/** Those that targets are compared by. */
export function compared(job) {
  return job.metrics.filter((metric) => metric.is_ratio && !metric.cold_only);
}

/** Its label at the beginning of a line. */
export function heading({ label }) {
  return label[0].toUpperCase() + label.slice(1);
}

/** A value with its unit; a dash where there is none. */
export function amount(metric, value) {
  if (value === null || value === undefined) return "–";
  if (metric.unit === "s") return ms(value * 1000);
  return metric.unit === "bytes" ? mib(value / 2 ** 20) : `${Number(value.toPrecision(3))} ${metric.unit}`;
}

/** The same for a table whose times are all milliseconds. */
export function bareAmount(metric, value) {
  return metric.unit === "s" && value !== null ? bareMs(value * 1000) : amount(metric, value);
}
