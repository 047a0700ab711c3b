// What was read, as the server gives it, and what a person makes of it. Nothing here touches the page.
//
// A reading has pages, a page lines, a line chars. A place is {p, l, c}. Lines are replaced, never changed; a line that
// a person has seen to be right has `checked`, a character that a person put in has `typed`.

export const UNSURE = 0.8;
export const DOUBTFUL = 0.5;

export const isUnsure = (char) => !char.typed && char.confidence < UNSURE;

/** All places of a reading in reading order. */
export function* places(reading) {
  for (const [p, page] of reading.pages.entries())
    for (const [l, line] of page.lines.entries()) for (const c of line.chars.keys()) yield { p, l, c };
}

export const lineAt = (reading, { p, l }) => reading.pages[p]?.lines[l];
export const charAt = (reading, place) => lineAt(reading, place)?.chars[place.c];

/** The unsure place after `from`, or before it where `step` is -1; round the end to the first. */
export function nextUnsure(reading, from, step = 1) {
  const all = [...places(reading)];
  const start = from ? all.findIndex(({ p, l, c }) => p === from.p && l === from.l && c === from.c) : -step;
  for (let i = 1; i <= all.length; i++) {
    const place = all[(((start + i * step) % all.length) + all.length) % all.length];
    const line = lineAt(reading, place);
    if (!line.checked && isUnsure(line.chars[place.c])) return place;
  }
  return null;
}

export function counts(reading) {
  const lines = reading.pages.flatMap((page) => page.lines);
  return {
    lines: lines.length,
    chars: lines.reduce((sum, line) => sum + line.chars.length, 0),
    unsure: lines.filter((line) => !line.checked).flatMap((line) => line.chars).filter(isUnsure).length,
    checked: lines.filter((line) => line.checked).length,
  };
}

export const textOf = (reading) =>
  reading.pages.map((page) => page.lines.map((line) => `${line.text}\n`).join("")).join("\n");

/** A line whose characters from `start` to before `end` are replaced by those of `text`, which share their room. */
export function replaced(line, start, end, text) {
  const letters = Array.from(text.normalize("NFC").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ""));
  const old = line.chars.slice(start, end);
  const room = old.length ? union(old.map((char) => char.bbox)) : gap(line, start);
  const chars = letters.map((char, i) => ({
    char,
    confidence: 1,
    typed: true,
    bbox: share(room, i, letters.length, line.direction),
    alternatives: letters.length === 1 && old.length === 1 ? others(old[0], char) : [],
  }));
  return withChars(line, [...line.chars.slice(0, start), ...chars, ...line.chars.slice(end)]);
}

/** A line that reads `text`: what it has in common with the old text at both ends stays as it was. */
export function retyped(line, text) {
  const old = line.chars.map((char) => char.char);
  const now = Array.from(text.normalize("NFC"));
  let head = 0;
  while (head < Math.min(old.length, now.length) && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  if (head + tail === old.length && head + tail === now.length) return { ...line, checked: true };
  return { ...replaced(line, head, old.length - tail, now.slice(head, now.length - tail).join("")), checked: true };
}

/** A reading with another line at a place. */
export function withLine(reading, { p, l }, line) {
  const pages = reading.pages.map((page, i) =>
    i === p ? { ...page, lines: page.lines.map((one, j) => (j === l ? line : one)) } : page,
  );
  return { ...reading, pages };
}

/** A reading without pictures, which the server need not get back; with `checkedOnly`, of those lines alone. */
export function toSend(reading, checkedOnly) {
  const pages = reading.pages.map(({ picture, ...page }) => ({
    ...page,
    lines: page.lines.filter((line) => !checkedOnly || line.checked),
  }));
  return JSON.stringify(pages.filter((page) => page.lines.length || !checkedOnly));
}

/** A line with other characters; it counts as right when nothing unsure is left in it. */
function withChars(line, chars) {
  const checked = line.checked || !chars.some(isUnsure);
  return { ...line, chars, text: chars.map((char) => char.char).join(""), checked };
}

/** The alternatives of a character that became `now`: what it was stands first. */
function others(char, now) {
  const all = [{ char: char.char, confidence: char.confidence }, ...char.alternatives];
  return all.filter((one) => one.char !== now);
}

const union = (boxes) => [
  Math.min(...boxes.map((box) => box[0])),
  Math.min(...boxes.map((box) => box[1])),
  Math.max(...boxes.map((box) => box[2])),
  Math.max(...boxes.map((box) => box[3])),
];

/** The room between two characters of a line. */
function gap(line, at) {
  const [x0, y0, x1, y1] = union(line.quad.map(([x, y]) => [x, y, x, y]));
  const before = line.chars[at - 1]?.bbox;
  const after = line.chars[at]?.bbox;
  return line.direction === "vertical"
    ? [x0, before?.[3] ?? y0, x1, after?.[1] ?? y1]
    : [before?.[2] ?? x0, y0, after?.[0] ?? x1, y1];
}

function share([x0, y0, x1, y1], i, n, direction) {
  return direction === "vertical"
    ? [x0, y0 + ((y1 - y0) * i) / n, x1, y0 + ((y1 - y0) * (i + 1)) / n]
    : [x0 + ((x1 - x0) * i) / n, y0, x0 + ((x1 - x0) * (i + 1)) / n, y1];
}
