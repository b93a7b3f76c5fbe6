// A job's news as server-sent events. Comes back by itself, from where it was; rests while nobody looks.

import { jobPath } from "./api.js";

const LONGEST_PAUSE_MS = 30000;
const FIRST_PAUSE_MS = 1000;

/**
 * Follow a job until it has ended.
 *
 * EventSource gives up for good on a 503, so coming back is done here. A hidden tab lets go of its connection:
 * browsers open only six to one server.
 *
 * @param {(news: {state: object, first_row: number, rows: object[]}) => void} onNews
 * @param {(connected: boolean) => void} onConnection
 * @returns {() => void} stops following
 */
export function follow(jobId, onNews, onConnection) {
  let source = null;
  let timer = 0;
  let last = "";
  let pause = FIRST_PAUSE_MS;
  let done = false;

  function open() {
    clearTimeout(timer);
    if (done || source || document.hidden) return;
    source = new EventSource(`/api${jobPath(jobId)}/events${last ? `?after=${encodeURIComponent(last)}` : ""}`);
    source.addEventListener("open", () => onConnection(true));
    source.addEventListener("news", (event) => {
      pause = FIRST_PAUSE_MS;
      last = event.lastEventId;
      const news = JSON.parse(event.data);
      done = Boolean(news.state.ended);
      onNews(news);
    });
    source.addEventListener("end", () => {
      // The poller has stopped. If the job has not ended, another one is needed.
      close();
      if (!done) again();
    });
    source.addEventListener("error", () => {
      close();
      if (done) return;
      onConnection(false);
      again();
    });
  }

  function again() {
    timer = setTimeout(open, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function onVisibility() {
    if (document.hidden) close();
    else open();
  }

  document.addEventListener("visibilitychange", onVisibility);
  open();
  return () => {
    done = true;
    close();
    document.removeEventListener("visibilitychange", onVisibility);
  };
}
