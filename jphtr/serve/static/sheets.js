// The pages as pictures, with a box over every character.

import { DOUBTFUL, isUnsure } from "./reading.js";
import { say } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const ZOOM = 1.3;
const LARGEST_LINE = 1.6; // of a short line that would fill the card: times its own size, at most

/**
 * Show pages in `root`. `onSelect(place)` is called for a character that is clicked.
 * Gives `show(reading, pictures)`, `refresh(reading, place)` after a line has changed, `select(place)` and `zoom(by)`.
 */
export function makeSheets(root, onSelect) {
  let zoom = 1;
  let sheets = [];
  let selected = null;

  function show(reading, pictures) {
    zoom = 1;
    selected = null;
    sheets = reading.pages.map((page, p) => {
      const sheet = document.createElement("figure");
      sheet.className = "sheet";
      const picture = document.createElement("img");
      picture.src = pictures[p];
      picture.alt = reading.pages.length > 1 ? say("page", { number: page.page }) : "";
      const layer = svg("svg", { viewBox: `0 0 ${page.width} ${page.height}`, "aria-hidden": "true" });
      sheet.append(picture, layer);
      sheet.style.aspectRatio = `${page.width} / ${page.height}`;
      layer.append(...page.lines.map((line, l) => drawn(line, p, l)));
      return { sheet, layer, page };
    });
    root.replaceChildren(...sheets.map(({ sheet }) => sheet));
    resize();
  }

  function refresh(reading, { p, l }) {
    sheets[p].layer.children[l].replaceWith(drawn(reading.pages[p].lines[l], p, l));
    mark();
  }

  function drawn(line, p, l) {
    const group = svg("g", { "data-p": p, "data-l": l, class: line.checked ? "line checked" : "line" });
    group.append(svg("polygon", { points: line.quad.map((point) => point.join()).join(" ") }));
    for (const [c, char] of line.chars.entries()) {
      const [x0, y0, x1, y1] = char.bbox;
      const size = { x: x0, y: y0, width: Math.max(1, x1 - x0), height: Math.max(1, y1 - y0) };
      group.append(svg("rect", { ...size, "data-c": c, class: line.checked ? "char" : classOf(char) }));
    }
    return group;
  }

  function select(place) {
    selected = place;
    mark();
    const box = root.querySelector(".selected");
    if (!box) return;
    const [frame, at] = [root.getBoundingClientRect(), box.getBoundingClientRect()];
    const outside = at.left < frame.left || at.right > frame.right || at.top < frame.top || at.bottom > frame.bottom;
    if (outside) {
      root.scrollBy({
        left: (at.left + at.right - frame.left - frame.right) / 2,
        top: (at.top + at.bottom - frame.top - frame.bottom) / 2,
      });
    }
  }

  function mark() {
    for (const old of root.querySelectorAll(".selected, .current")) old.classList.remove("selected", "current");
    if (!selected) return;
    const group = sheets[selected.p]?.layer.children[selected.l];
    group?.classList.add("current");
    group?.querySelector(`[data-c="${selected.c}"]`)?.classList.add("selected");
  }

  /** Lay the pages out: as wide as the card, but a short line not far above its own size. */
  function resize(by) {
    zoom = by ? Math.min(8, Math.max(0.2, zoom * by)) : 1;
    for (const { sheet, page } of sheets) {
      const wide = `min(100%, ${Math.max(page.width * LARGEST_LINE, 60)}px, ${(page.width / page.height) * 85}vh)`;
      sheet.style.width = `calc(${wide} * ${zoom})`;
    }
  }

  root.addEventListener("click", (event) => {
    const rect = event.target.closest("rect");
    if (rect) {
      const { p, l } = rect.parentNode.dataset;
      onSelect({ p: Number(p), l: Number(l), c: Number(rect.dataset.c) });
    }
  });

  return {
    show,
    refresh,
    select,
    zoom: (step) => resize(step && ZOOM ** step),
    picture: (p) => sheets[p]?.sheet.querySelector("img"),
  };
}

/** How a character is marked. */
export function classOf(char) {
  if (char.typed) return "char typed";
  if (!isUnsure(char)) return "char";
  return char.confidence < DOUBTFUL ? "char unsure doubtful" : "char unsure";
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
