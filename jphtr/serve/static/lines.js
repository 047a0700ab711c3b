// The text that was read: every character a button, reached with one Tab and moved along with the arrows.

import { charAt, nextUnsure, places } from "./reading.js";
import { classOf } from "./sheets.js";
import { say, shareOf } from "./texts.js";

/**
 * Show the text in `root`. `on` has select(place), type(place), choose(place, n), remove(place), retype(place, text) and
 * check(place, yes).
 * Gives `show(reading)`, `refresh(reading, place)` after a line has changed, and `select(place, focus)`.
 */
export function makeLines(root, on) {
  let reading = null;
  let selected = null;

  function show(given) {
    reading = given;
    selected = null;
    root.replaceChildren(
      ...reading.pages.map((page, p) => {
        const section = element("section", { className: isVertical(page) ? "vertical" : "" });
        if (reading.pages.length > 1) section.append(element("h3", { textContent: say("page", { number: page.page }) }));
        const list = element("ol", { className: "line-list" });
        list.append(...page.lines.map((_, l) => item(p, l)));
        section.append(list);
        return section;
      }),
    );
    const first = root.querySelector(".char");
    if (first) first.tabIndex = 0;
  }

  function refresh(given, place) {
    reading = given;
    const old = itemAt(place);
    const fresh = item(place.p, place.l);
    old.replaceWith(fresh);
    if (selected) select(selected, false);
    if (!root.querySelector('.char[tabindex="0"]')) root.querySelector(".char")?.setAttribute("tabindex", "0");
    return fresh;
  }

  function item(p, l) {
    const line = reading.pages[p].lines[l];
    const number = l + 1;
    const li = element("li", { className: `line-item of-${line.kind}` });
    Object.assign(li.dataset, { p, l });
    li.classList.toggle("checked", Boolean(line.checked));
    const right = element("button", { className: "quiet icon tick", textContent: "✓", title: say("right"), tabIndex: -1 });
    right.setAttribute("aria-label", `${say("line", { number })}: ${say("right")}`);
    right.setAttribute("aria-pressed", String(Boolean(line.checked)));
    right.addEventListener("click", () => on.check({ p, l, c: 0 }, !line.checked));
    const edit = element("button", { className: "quiet icon pen", textContent: "✎", title: say("edit"), tabIndex: -1 });
    edit.setAttribute("aria-label", `${say("line", { number })}: ${say("edit")}`);
    edit.addEventListener("click", () => retype(p, l));
    const text = element("span", { className: "line-text", lang: "ja", role: "group" });
    text.setAttribute("aria-label", `${say("line", { number })}: ${line.text}`);
    text.append(...line.chars.map((char, c) => letter(line, char, c)));
    li.append(right, text, edit);
    if (!line.chars.length) for (const button of [right, edit]) button.tabIndex = 0;
    return li;
  }

  function letter(line, char, c) {
    // no button element: those would not let a line break where Japanese may
    const button = element("span", { textContent: char.char, tabIndex: -1, role: "button" });
    button.className = line.checked ? "char" : classOf(char);
    button.dataset.c = c;
    button.setAttribute("aria-label", say(char.typed ? "char_right" : "char_label", { char: char.char, share: shareOf(char.confidence) }));
    return button;
  }

  /** A field in place of the line's text; Enter and leaving it keep what is typed, Escape does not. */
  function retype(p, l) {
    const li = itemAt({ p, l });
    const { text } = reading.pages[p].lines[l];
    const field = element("input", { className: "line-input", value: text, lang: "ja" });
    field.setAttribute("aria-label", say("edit_label", { number: l + 1 }));
    let open = true;
    const end = (keep, focus) => {
      if (!open) return;
      open = false;
      if (keep) on.retype({ p, l, c: 0 }, field.value);
      else refresh(reading, { p, l });
      if (focus) (itemAt({ p, l }).querySelector(".char") ?? itemAt({ p, l }).querySelector(".pen")).focus();
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        end(event.key === "Enter", true);
      }
    });
    field.addEventListener("blur", () => end(field.value !== text, false));
    li.querySelector(".line-text").replaceChildren(field);
    field.focus();
    field.select();
  }

  function select(place, focus) {
    for (const old of root.querySelectorAll(".selected")) old.classList.remove("selected");
    for (const old of root.querySelectorAll("[tabindex='0']")) old.tabIndex = -1;
    selected = place && charAt(reading, place) ? place : null;
    if (!selected) {
      root.querySelector(".char")?.setAttribute("tabindex", "0");
      return;
    }
    const li = itemAt(selected);
    for (const button of li.querySelectorAll(".tick, .pen")) button.tabIndex = 0;
    const button = li.querySelectorAll(".char")[selected.c];
    if (!button) return;
    button.classList.add("selected");
    button.tabIndex = 0;
    if (focus) button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  const itemAt = ({ p, l }) => root.querySelector(`li[data-p="${p}"][data-l="${l}"]`);

  function placeOf(button) {
    const { p, l } = button.closest("li").dataset;
    return { p: Number(p), l: Number(l), c: Number(button.dataset.c) };
  }

  /** The place that a key leads to from another, or null. */
  function led(key, from) {
    const all = [...places(reading)];
    const at = all.findIndex(({ p, l, c }) => p === from.p && l === from.l && c === from.c);
    const last = reading.pages[from.p].lines[from.l].chars.length - 1;
    const [back, ahead, up, down] = isVertical(reading.pages[from.p])
      ? ["ArrowUp", "ArrowDown", "ArrowRight", "ArrowLeft"]
      : ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
    switch (key) {
      case back:
        return all[at - 1];
      case ahead:
        return all[at + 1];
      case up:
      case down: {
        const lines = [...new Set(all.map(({ p, l }) => `${p}.${l}`))];
        const next = lines[lines.indexOf(`${from.p}.${from.l}`) + (key === down ? 1 : -1)];
        if (!next) return null;
        const [p, l] = next.split(".").map(Number);
        return { p, l, c: Math.min(from.c, reading.pages[p].lines[l].chars.length - 1) };
      }
      case "Home":
        return { ...from, c: 0 };
      case "End":
        return { ...from, c: last };
      case "n":
      case "N":
        return nextUnsure(reading, from, key === "N" ? -1 : 1);
    }
    return null;
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest(".char");
    if (button) on.select(placeOf(button));
  });
  root.addEventListener("keydown", (event) => {
    const button = event.target.closest(".char");
    if (!button || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = placeOf(button);
    const to = led(event.key, from);
    if (to) on.select(to);
    else if (event.key === " ") on.select(from);
    else if (event.key === "Enter" || event.key === "F2") on.type(from);
    else if (event.key === "Delete" || event.key === "Backspace") on.remove(from);
    else if (/^[1-8]$/.test(event.key)) on.choose(from, Number(event.key) - 1);
    else if (!/^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
  });

  return { show, refresh, select };
}

/** Whether the text of a page is shown in columns. */
function isVertical(page) {
  return page.lines.filter((line) => line.direction === "vertical").length * 2 > page.lines.length;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
