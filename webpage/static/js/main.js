// Which view an address means, and moving between them without loading the page again.

import { announce, replace } from "./dom.js";
import { homeView } from "./home.js";
import { jobView } from "./job.js";
import { jobsView } from "./jobs.js";
import { startTheme } from "./theme.js";

const main = document.getElementById("main");
let leave = () => {};

/** Show the view of the present address. Each returns its element, its title, and how to leave it. */
function render({ focus, warnings = [] }) {
  leave();
  const view = viewOf(location.pathname, warnings);
  leave = view.leave ?? (() => {});
  replace(main, view.element);
  document.title = `${view.title} · Diptych`;
  for (const link of document.querySelectorAll("nav [data-link]")) {
    link.toggleAttribute("aria-current", link.getAttribute("href") === location.pathname);
  }
  view.entered?.();
  if (focus) {
    main.focus({ preventScroll: true });
    announce(view.title);
  }
}

function viewOf(path, warnings) {
  const job = /^\/jobs\/([^/]+)$/.exec(path);
  if (job) return jobView(decoded(job[1]), go, warnings);
  if (path === "/jobs") return jobsView(go);
  return homeView(go, path === "/");
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Go to an address of ours; `warnings` are what the next view should say first. */
function go(path, warnings = []) {
  if (path !== location.pathname + location.search) history.pushState({}, "", path);
  render({ focus: true, warnings });
  scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-link]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", () => render({ focus: true }));
startTheme(document.getElementById("theme"));
render({ focus: false });
