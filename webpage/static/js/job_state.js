// What the page knows of a job: what was asked for, how far it is, and the rows of its tasks.

/** Runs such as [[0, 15], [18, 18]]; binary search, since there may be thousands. */
export function inRuns(runs, value) {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (value < runs[middle][0]) high = middle - 1;
    else if (value > runs[middle][1]) low = middle + 1;
    else return true;
  }
  return false;
}

export class JobState {
  /** @param {object} job the answer to GET /api/jobs/JOB */
  constructor(job) {
    this.job = job;
    this.state = null;
    this.rows = [];
    this.byTask = Object.fromEntries(job.targets.map((target) => [target, new Map()]));
  }

  /** Take in news. A poller that was started anew sends its rows from the first one on. */
  take({ state, first_row: first, rows }) {
    this.state = state;
    if (first < this.rows.length) {
      this.rows.length = 0;
      for (const map of Object.values(this.byTask)) map.clear();
    }
    for (const row of rows) {
      this.rows.push(row);
      this.byTask[row.target]?.set(row.task, row);
    }
  }

  get known() {
    return Boolean(this.state?.targets);
  }

  get ended() {
    return Boolean(this.state?.ended);
  }

  taskOf(index) {
    return Math.floor(index / this.job.images_per_task);
  }

  row(target, index) {
    return this.byTask[target].get(this.taskOf(index));
  }

  /** "generated", "failed", "cancelled" or "waiting". */
  outcome(target, index) {
    if (!this.known) return "waiting";
    const part = this.state.targets[target];
    const task = this.taskOf(index);
    if (inRuns(part.done_tasks, task) || inRuns(part.seen_images, index)) return "generated";
    if (inRuns(part.failed_tasks, task)) return "failed";
    return this.state.status === "cancelled" ? "cancelled" : "waiting";
  }
}
