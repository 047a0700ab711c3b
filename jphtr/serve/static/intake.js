// How a picture comes in: chosen, photographed, dropped, pasted, or drawn as a sample.

import { say } from "./texts.js";

const FOREIGN = /hei[cf]|avif|jxl/; // pictures that a browser may know better than the server

/** Call `take(file)` for every picture that comes in. */
export function startIntake(take) {
  const by = (id) => document.getElementById(id);
  for (const [button, input] of [["choose", "file"], ["again", "file"], ["photograph", "camera"]]) {
    by(button).addEventListener("click", () => by(input).click());
    by(input).addEventListener("change", () => {
      if (by(input).files[0]) take(by(input).files[0]);
      by(input).value = "";
    });
  }
  by("sample").addEventListener("click", async () => take(await sample()));

  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    take(file);
  });

  const veil = by("drop-veil");
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!isFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

/** What the server is sent, and an address and size under which the browser shows it (no address for a PDF, say). */
export async function opened(file) {
  const address = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = address;
  try {
    await picture.decode();
  } catch {
    URL.revokeObjectURL(address);
    return { file, address: null };
  }
  const [width, height] = [picture.naturalWidth, picture.naturalHeight];
  if (!FOREIGN.test(file.type)) return { file, address, width, height };
  const canvas = canvasOf(width, height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return { file: await fileOf(canvas, file.name), address, width, height };
}

/** A line of text in a font of this device. */
async function sample() {
  const text = say("sample_text");
  const canvas = canvasOf(64 * (text.length + 1), 110);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fbf8f1";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#2a2622";
  pen.font = '60px "Hiragino Mincho ProN", "Yu Mincho", "Noto Serif CJK JP", serif';
  pen.textBaseline = "middle";
  pen.fillText(text, 36, canvas.height / 2);
  return fileOf(canvas, "sample");
}

const canvasOf = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

async function fileOf(canvas, name) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob], `${name}.png`, { type: "image/png" });
}
