// Starts the page: language, light or dark, the two halves.

import { version } from "./api.js";
import { startPad } from "./pad.js";
import { copied, startReading } from "./read.js";
import { currentLanguage, remember, remembered, say, setLanguage, usualLanguage } from "./texts.js";

const by = (id) => document.getElementById(id);
const tabs = [by("tab-read"), by("tab-write")];

function open(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    by(one.getAttribute("aria-controls")).hidden = !chosen;
  }
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new Event("theme"));
}

by("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme.startsWith("dark");
  const shown = dark || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  setTheme(shown ? "light" : "dark");
  remember("theme", shown ? "light" : "dark");
});
if (remembered("theme")) setTheme(remembered("theme"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("theme")));

by("language").addEventListener("click", () => setLanguage(currentLanguage() === "ja" ? "en" : "ja"));
document.addEventListener("language", () => {
  by("language").textContent = say("language");
  by("language").lang = currentLanguage() === "ja" ? "en" : "ja";
});
setLanguage(usualLanguage());

by("written-copy").addEventListener("click", () => copied(by("written").value));

try {
  const server = await version();
  const about = () => (by("about").textContent = say("about", server));
  document.addEventListener("language", about);
  about();
  startReading(server);
  startPad(server);
} catch (problem) {
  by("problem").hidden = false;
  by("problem").textContent = problem.words ?? String(problem);
}
document.documentElement.dataset.ready = "";
