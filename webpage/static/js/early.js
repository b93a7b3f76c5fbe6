// Before the first paint: the colours that this browser chose, or the page would flash. Not a module: those wait.

try {
  const kept = localStorage.getItem("diptych-theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch {
  // A browser that keeps nothing has chosen nothing.
}
