// Asking the server. Every failure is a Problem with words that can be shown.

export class Problem extends Error {
  /** @param {number} status 0 if there was no answer at all */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const RETRY_MS = 700;
const meta = document.querySelector('meta[name="diptych-token"]');

/** Get JSON. Asked again once if there was no answer at all, as when the network changes. */
export async function get(path, signal) {
  try {
    return await ask(path, { signal });
  } catch (problem) {
    if (problem.status !== 0) throw problem;
    await new Promise((done) => setTimeout(done, RETRY_MS));
    return ask(path, { signal });
  }
}

/** Post JSON. The token is that of the process that served the page; after its restart it is fetched anew. */
export async function post(path, body) {
  try {
    return await send(path, body);
  } catch (problem) {
    if (problem.status !== 403) throw problem;
    meta.content = (await get("/api/form-options")).token;
    return send(path, body);
  }
}

function send(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Diptych-Token": meta.content },
    body: JSON.stringify(body),
  });
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The page's server does not answer. Is `diptych web` still running?", 0);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(answer.error ?? `The server answered ${response.status}.`, response.status);
  return answer;
}

export function jobPath(jobId) {
  return `/jobs/${encodeURIComponent(jobId)}`;
}

/** Addresses of one image. `version` makes them good for ever. */
export function imagePaths(job, target, index) {
  const base = `${jobPath(job.job_id)}/${target}`;
  return {
    thumbnail: `${base}/thumbnails/${index}.webp?v=${job.version}`,
    image: `${base}/images/${index}.png?v=${job.version}`,
    original: `${base}/originals/${index}.png`,
  };
}

export function differencePath(job, index) {
  return `${jobPath(job.job_id)}/differences/${index}.png?v=${job.version}`;
}
