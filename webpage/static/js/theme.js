// Light, dark, or as the system has it. Kept in this browser alone.

import { replace, svg } from "./dom.js";

const KEY = "diptych-theme";
const ORDER = ["auto", "light", "dark"];
const WORDS = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };
const SHAPES = {
  auto: ["M12 3a9 9 0 1 0 0 18z", "M12 3a9 9 0 0 1 0 18"],
  light: ["M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z", "M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.8 1.8M17.2 17.2 19 19M5 19l1.8-1.8M17.2 6.8 19 5"],
  dark: ["M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z"],
};

export function startTheme(button) {
  apply(read(), button);
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // A browser that keeps nothing still changes colours until it is closed.
    }
    apply(next, button);
  });
}

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    if (ORDER.includes(kept)) return kept;
  } catch {
    return document.documentElement.dataset.theme ?? "auto";
  }
  return document.documentElement.dataset.theme ?? "auto";
}

function apply(theme, button) {
  document.documentElement.dataset.theme = theme;
  button.setAttribute("aria-label", WORDS[theme]);
  button.title = WORDS[theme];
  const paths = SHAPES[theme].map((d, place) => svg("path", { d, class: theme === "auto" && place === 0 ? "solid" : "" }));
  replace(button, svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, paths));
}
