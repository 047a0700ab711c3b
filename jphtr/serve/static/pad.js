// A field to write a character in, and what it is taken for.

import { Problem, post } from "./api.js";
import { say, shareOf } from "./texts.js";

const PAUSE = 450; // ms after a stroke until the server is asked
const PEN = 0.045; // of the field's side
const SENT = 256; // pixels
const STEP = 0.03; // of the field's side, that an arrow key moves the pen

/** `server` is what /version says. */
export function startPad(server) {
  const pad = document.getElementById("pad");
  const candidates = document.getElementById("candidates");
  const script = document.getElementById("script");
  const written = document.getElementById("written");
  const by = document.getElementById("pad-by");
  let strokes = []; // of points [x, y] between 0 and 1
  let drawing = null; // the id of the pointer that draws
  let keyPen = [0.3, 0.3];
  let keyDraws = false;
  let timer = 0;
  let asking = null;
  let found = null;

  function paint() {
    const side = Math.round(pad.clientWidth * devicePixelRatio) || SENT;
    pad.width = pad.height = side;
    const pen = pad.getContext("2d");
    pen.strokeStyle = pen.fillStyle = getComputedStyle(pad).color;
    draw(pen, side);
    if (document.activeElement === pad && pad.matches(":focus-visible")) {
      pen.globalAlpha = 0.6;
      circle(pen, keyPen[0] * side, keyPen[1] * side, side * PEN * 0.7);
    }
  }

  function draw(pen, side) {
    pen.lineWidth = side * PEN;
    pen.lineCap = pen.lineJoin = "round";
    for (const stroke of strokes) {
      pen.beginPath();
      for (const [x, y] of stroke) pen.lineTo(x * side, y * side);
      if (stroke.length === 1) circle(pen, stroke[0][0] * side, stroke[0][1] * side, (side * PEN) / 2);
      else pen.stroke();
    }
  }

  /** Ask what the strokes are, when the hand has rested for a moment. */
  function changed() {
    paint();
    clearTimeout(timer);
    asking?.abort();
    if (!strokes.length) {
      found = null;
      showFound();
    } else timer = setTimeout(ask, PAUSE);
  }

  async function ask() {
    const mine = (asking = new AbortController());
    const canvas = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, SENT, SENT);
    pen.strokeStyle = pen.fillStyle = "#000";
    draw(pen, SENT);
    const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    try {
      const answer = await post("classify", { file }, { script: script.value }, { signal: mine.signal });
      found = await answer.json();
    } catch (problem) {
      if (mine.signal.aborted) return;
      found = { problem: problem instanceof Problem ? problem.words : String(problem) };
    }
    showFound();
  }

  function showFound() {
    const list = found?.candidates ?? [];
    candidates.replaceChildren(
      ...list.map(({ char, confidence }, n) => {
        const button = Object.assign(document.createElement("button"), { className: "candidate", lang: "ja" });
        const share = Object.assign(document.createElement("small"), { textContent: shareOf(confidence) });
        button.append(char, share);
        button.classList.toggle("best", n === 0);
        button.addEventListener("click", () => take(char));
        return button;
      }),
    );
    if (!list.length) {
      candidates.textContent = found?.problem ?? say(found ? "candidates_unknown" : "candidates_none");
    }
    by.textContent = found?.by ? say(found.by === "classifier" ? "by_classifier" : "by_line") : "";
  }

  function take(char) {
    written.value += char;
    clear();
    pad.focus({ preventScroll: true });
  }

  function clear() {
    strokes = [];
    changed();
  }

  function undo() {
    strokes = strokes.slice(0, -1);
    changed();
  }

  const at = (event) => {
    const { left, top, width, height } = pad.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((v) => Math.min(1, Math.max(0, v)));
  };
  pad.addEventListener("pointerdown", (event) => {
    if (drawing !== null || event.button > 0) return;
    event.preventDefault();
    drawing = event.pointerId;
    pad.setPointerCapture(drawing);
    strokes = [...strokes, [at(event)]];
    clearTimeout(timer);
    paint();
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) strokes.at(-1).push(at(one));
    paint();
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    pad.addEventListener(kind, (event) => {
      if (event.pointerId !== drawing) return;
      drawing = null;
      changed();
    });
  }

  pad.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (step) {
      if (event.shiftKey && !keyDraws) strokes = [...strokes, [[...keyPen]]];
      keyDraws = event.shiftKey;
      keyPen = keyPen.map((v, i) => Math.min(1, Math.max(0, v + step[i] * STEP)));
      if (keyDraws) strokes.at(-1).push([...keyPen]);
      changed();
    } else if (event.key === "Backspace") undo();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
  pad.addEventListener("keyup", (event) => {
    if (event.key === "Shift") keyDraws = false;
  });
  for (const kind of ["focus", "blur"]) pad.addEventListener(kind, paint);

  document.getElementById("pad-clear").addEventListener("click", clear);
  document.getElementById("pad-undo").addEventListener("click", undo);
  function showScripts() {
    const kept = script.value;
    script.replaceChildren(...server.scripts.map((name) => new Option(say(`script_${name}`), name)));
    if (kept) script.value = kept;
    document.getElementById("script-label").hidden = server.scripts.length < 2;
  }

  script.addEventListener("change", changed);
  document.addEventListener("language", () => {
    showScripts();
    showFound();
  });
  document.addEventListener("theme", paint);
  new ResizeObserver(paint).observe(pad);
  showScripts();
  showFound();
}

function circle(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
