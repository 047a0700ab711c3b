// One character closely: its piece of the picture, what else it could be, and a field to say what it is.

import { say, shareOf } from "./texts.js";

const SIDE = 96; // CSS pixels of the piece of picture

/** Show a character in `root`; `on` has choose(n), type(text), remove() and close(). Gives `show(page, line, c, picture)`. */
export function makeInspector(root, on) {
  function show(page, line, c, picture) {
    const char = line?.chars[c];
    root.hidden = !char;
    if (!char) {
      root.replaceChildren();
      return;
    }
    const head = element("div", { className: "inspector-head" });
    head.append(
      piece(page, char, picture),
      element("span", { className: "inspector-char", lang: "ja", textContent: char.char }),
      element("span", { className: "dim small", textContent: char.typed ? say("corrected") : say("sure", { share: shareOf(char.confidence) }) }),
    );
    const close = element("button", { type: "button", className: "quiet icon close", textContent: "×", title: say("close") });
    close.setAttribute("aria-label", say("close"));
    close.addEventListener("click", on.close);

    const choices = element("div", { className: "choices" });
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", say("alternatives"));
    for (const [n, other] of char.alternatives.slice(0, 8).entries()) {
      const button = element("button", { type: "button", className: "choice", lang: "ja" });
      button.append(
        element("kbd", { textContent: n + 1, ariaHidden: "true" }),
        element("span", { textContent: other.char }),
        element("small", { textContent: shareOf(other.confidence) }),
      );
      button.addEventListener("click", () => on.choose(n));
      choices.append(button);
    }
    if (!char.alternatives.length) choices.append(element("span", { className: "dim small", textContent: say("no_alternatives") }));

    const form = element("form", { className: "row tight" });
    const field = element("input", { type: "text", lang: "ja", value: char.char, autocomplete: "off", size: 4 });
    field.setAttribute("aria-label", say("other"));
    const apply = element("button", { textContent: say("apply") });
    const remove = element("button", { type: "button", className: "quiet", textContent: say("remove") });
    remove.addEventListener("click", on.remove);
    form.append(field, apply, remove);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      on.type(field.value);
    });
    root.replaceChildren(head, choices, form, close);
  }

  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      on.close();
    }
  });

  return {
    show,
    focus() {
      const field = root.querySelector("input");
      field?.focus();
      field?.select();
    },
  };
}

/** The part of the picture around a character. */
function piece(page, char, picture) {
  const canvas = element("canvas", { className: "piece", width: 2 * SIDE, height: 2 * SIDE });
  canvas.setAttribute("aria-hidden", "true");
  const [x0, y0, x1, y1] = char.bbox;
  const side = Math.max(x1 - x0, y1 - y0) * 1.35;
  const scale = picture.naturalWidth / page.width;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const from = [(x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side, side].map((value) => value * scale);
  if (picture.complete && side > 0) pen.drawImage(picture, ...from, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
