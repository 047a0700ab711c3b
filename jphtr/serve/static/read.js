// The page's first half: a picture comes in, is read, corrected and taken away.

import { Problem, post } from "./api.js";
import { makeInspector } from "./inspector.js";
import { opened, startIntake } from "./intake.js";
import { makeLines } from "./lines.js";
import { charAt, counts, lineAt, nextUnsure, replaced, retyped, textOf, toSend, withLine } from "./reading.js";
import { makeSheets } from "./sheets.js";
import { say } from "./texts.js";

const KEPT = "text-lines"; // the format text, its lines as they are on the page

const by = (id) => document.getElementById(id);

/** `server` is what /version says. */
export function startReading(server) {
  let sent = null; // the file as the server got it, and its address for the browser
  let reading = null;
  let place = null;
  let past = []; // [place, line] before each change
  let going = null;

  const sheets = makeSheets(by("sheets"), (to) => select(to, true));
  const lines = makeLines(by("lines"), {
    select: (to) => select(to, true),
    type: (at) => {
      select(at, false);
      inspector.focus();
    },
    choose,
    remove: (at) => change(at, replaced(lineAt(reading, at), at.c, at.c + 1, "")),
    retype: (at, text) => change(at, retyped(lineAt(reading, at), text), false),
    check: (at, checked) => change(at, { ...lineAt(reading, at), checked }, false),
  });
  const inspector = makeInspector(by("inspector"), {
    choose: (n) => choose(place, n),
    type: (text) => change(place, replaced(lineAt(reading, place), place.c, place.c + 1, text)),
    remove: () => change(place, replaced(lineAt(reading, place), place.c, place.c + 1, "")),
    close: () => {
      const from = place;
      select(null);
      if (from) focusChar(from);
    },
  });

  // reading

  async function take(file) {
    await begin(async (mine) => {
      const mineToSend = await opened(file);
      if (mine !== going) return;
      if (sent?.address) URL.revokeObjectURL(sent.address);
      sent = mineToSend;
      forget();
      await read(mine);
    });
  }

  /** Do a piece of work instead of the one that is going on, which ends. */
  async function begin(work) {
    going?.abort();
    const mine = (going = new AbortController());
    complain(null);
    busy(say("reading"));
    try {
      await work(mine);
    } catch (problem) {
      if (mine !== going) return;
      failed(problem);
      if (!reading) by("result").hidden = by("options").hidden = !(by("intake").hidden = false);
    }
  }

  /** Show the picture that came in, without what was read on the one before. */
  function forget() {
    const pages = sent.address ? [{ page: 1, width: sent.width, height: sent.height, lines: [] }] : [];
    show({ pages });
    reading = null;
  }

  async function read(mine) {
    const began = performance.now();
    const answer = await post("read", { file: sent.file }, { ...options(), pictures: !sent.address }, {
      signal: mine.signal,
      onWait: (seconds) => busy(say("waiting", { seconds })),
    });
    const pages = await answer.json();
    if (mine !== going) return;
    show({ pages });
    const { lines: found, chars } = counts(reading);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    idle(found ? say(found === 1 ? "done_one" : "done", { lines: found, chars, seconds }) : say("nothing"));
  }

  function show(given) {
    reading = given;
    past = [];
    place = null;
    by("intake").hidden = true;
    by("options").hidden = by("result").hidden = false;
    const { pages } = reading;
    by("result").classList.toggle("flat", pages.length > 0 && pages.every((page) => page.width > 2.5 * page.height));
    by("result").classList.toggle("tall", pages.length > 0 && pages.every((page) => page.height > 2.5 * page.width));
    redraw();
  }

  function options() {
    const form = by("options").elements;
    const greedy = form.decoder.value === "greedy";
    const moved = Number(form.lm_weight.value) !== server.lm_weight;
    return {
      layout: form.layout.value,
      direction: form.direction.value,
      decoder: form.decoder.value,
      lm_weight: greedy || !moved ? null : form.lm_weight.value,
      ruby: form.ruby.value,
      top_k: 8,
    };
  }

  by("options").elements.lm_weight.value = server.lm_weight;
  by("options").addEventListener("change", async () => {
    by("weight-label").hidden = by("options").elements.decoder.value === "greedy";
    if (sent) await begin(read);
  });
  by("cancel").addEventListener("click", () => going?.abort());
  by("options").addEventListener("submit", (event) => event.preventDefault());
  startIntake(take);

  // correcting

  function select(to, focus = false) {
    place = to && charAt(reading, to) ? to : null;
    lines.select(place, focus);
    sheets.select(place);
    inspect();
  }

  function inspect() {
    const page = place && reading.pages[place.p];
    inspector.show(page, place && lineAt(reading, place), place?.c, place && sheets.picture(place.p));
  }

  function focusChar(at) {
    by("lines").querySelector(`li[data-p="${at.p}"][data-l="${at.l}"]`)?.querySelectorAll(".char")[at.c]?.focus();
  }

  function choose(at, n) {
    const other = charAt(reading, at)?.alternatives[n];
    if (other) change(at, replaced(lineAt(reading, at), at.c, at.c + 1, other.char));
  }

  /** Put another line in place; with `stay` its character keeps being looked at. */
  function change(at, line, stay = true) {
    past.push([at, lineAt(reading, at)]);
    put(at, line, stay);
  }

  function put(at, line, stay) {
    reading = withLine(reading, at, line);
    sheets.refresh(reading, at);
    const fresh = lines.refresh(reading, at);
    if (stay) {
      select(line.chars.length ? { ...at, c: Math.min(at.c, line.chars.length - 1) } : null, true);
      if (!line.chars.length) fresh.querySelector(".pen").focus();
    } else if (place) select(charAt(reading, place) ? place : null);
    if (!stay && document.activeElement === document.body) fresh.querySelector(".tick").focus();
    count();
  }

  function undo() {
    const last = past.pop();
    if (last) put(...last, true);
  }

  function count() {
    const { chars, unsure, checked } = counts(reading);
    by("unsure").hidden = !chars;
    by("unsure").textContent = unsure ? say("unsure", { count: unsure }) : say("unsure_none");
    by("unsure").classList.toggle("none", !unsure);
    by("undo").disabled = !past.length;
    by("save").disabled = !checked;
  }

  by("undo").addEventListener("click", undo);
  by("lines").addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.target.matches("input")) {
      event.preventDefault();
      undo();
    }
  });
  by("unsure").addEventListener("click", () => {
    if (!reading) return;
    const to = nextUnsure(reading, place);
    if (to) select(to, true);
  });
  by("check-all").addEventListener("click", () => {
    if (!reading) return;
    const pages = reading.pages.map((page) => ({
      ...page,
      lines: page.lines.map((line) => ({ ...line, checked: true })),
    }));
    reading = { ...reading, pages };
    past = [];
    redraw();
  });

  function redraw() {
    const kept = place;
    sheets.show(reading, reading.pages.map((page) => sent.address ?? page.picture));
    lines.show(reading);
    select(kept);
    count();
  }

  // looking and taking away

  by("boxes").addEventListener("change", () => by("sheets").classList.toggle("bare", !by("boxes").checked));
  by("zoom-in").addEventListener("click", () => sheets.zoom(1));
  by("zoom-out").addEventListener("click", () => sheets.zoom(-1));
  by("zoom-fit").addEventListener("click", () => sheets.zoom(0));

  by("copy").addEventListener("click", async () => {
    if (!reading) return;
    idle(say((await copied(textOf(reading))) ? "copied" : "copy_failed"));
  });
  by("download").addEventListener("click", async () => {
    if (!reading) return;
    const format = by("format").value;
    if (format === "lines" && !counts(reading).checked) return idle(say("check_first"));
    await answering(async () => {
      const parts = { file: sent.file, reading: toSend(reading, format === "lines") };
      const kept = format === KEPT;
      const answer = await post("export", parts, { format: kept ? "text" : format, keep_lines: kept, top_k: 8 });
      const name = nameOf(answer) ?? `jphtr.${format}`;
      keep(await answer.blob(), name);
      idle(say("downloaded", { name }));
    });
  });
  by("save").hidden = !server.saves;
  by("save").addEventListener("click", () =>
    answering(async () => {
      const answer = await post("save", { file: sent.file, reading: toSend(reading, true) });
      const { saved: count } = await answer.json();
      idle(say(count === 1 ? "saved_one" : "saved", { count }));
    }),
  );

  async function answering(work) {
    complain(null);
    try {
      await work();
    } catch (problem) {
      failed(problem);
    }
  }

  function failed(problem) {
    idle("");
    if (problem.name === "AbortError") return;
    complain(problem instanceof Problem ? problem.words : String(problem));
  }

  function showFormats() {
    const kept = by("format").value;
    const names = {
      text: say("text"), [KEPT]: say("format_kept"), json: "JSON", jsonl: "JSON Lines", tsv: "TSV", hocr: "hOCR",
      alto: "ALTO 4", page: "PAGE-XML", pdf: say("format_pdf"), lines: say("format_lines"),
    };
    const known = server.formats.flatMap((name) => (name === "text" ? [name, KEPT] : [name]));
    by("format").replaceChildren(...[...known, "lines"].map((name) => new Option(names[name] ?? name, name)));
    if (kept) by("format").value = kept;
    by("privacy").textContent = say(server.saves ? "privacy_saves" : "privacy");
  }

  document.addEventListener("language", () => {
    showFormats();
    if (reading) {
      idle("");
      redraw();
    }
  });
  showFormats();
}

/** Text into the clipboard; over plain HTTP from another machine browsers have no clipboard to offer. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "sr" });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

const busy = (line) => tell(line, true);
const idle = (line) => tell(line, false);

function tell(line, working) {
  by("status").textContent = line;
  by("status").classList.toggle("busy", working);
  by("result").classList.toggle("busy", working);
  by("cancel").hidden = !working;
}

function complain(line) {
  by("problem").hidden = !line;
  by("problem").textContent = line ?? "";
}

function nameOf(answer) {
  const given = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return given && decodeURIComponent(given[1]);
}

function keep(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
