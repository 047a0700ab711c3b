// The server: each call gives an answer or throws a Problem with its status and its one line.

import { say } from "./texts.js";

const TRIES = 5;

export class Problem extends Error {
  constructor(status, line) {
    super(line);
    this.status = status;
  }

  /** In the language of the page, with what the server said. */
  get words() {
    const known = [403, 408, 413, 415, 422, 500, 503].includes(this.status) ? this.status : this.status && 422;
    return [say(`error_${known}`), this.message].filter(Boolean).join(" – ");
  }
}

/** What the server is and takes. */
export async function version() {
  return (await answered(fetch("version"))).json();
}

/**
 * Post a form and give the answer; a busy server is asked again.
 * `parts` are fields and files by name, `options` go into the query, `onWait` hears how many seconds.
 */
export async function post(path, parts, options = {}, { signal, onWait } = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) if (value != null) form.append(name, value);
  const given = Object.entries(options).filter(([, value]) => value !== "" && value != null);
  for (let go = 1; ; go++) {
    try {
      return await answered(fetch(`${path}?${new URLSearchParams(given)}`, { method: "POST", body: form, signal }));
    } catch (problem) {
      if (problem.status !== 503 || go === TRIES) throw problem;
      const seconds = Math.min(problem.retryAfter || 2, 30);
      onWait?.(seconds);
      await pause(seconds, signal);
    }
  }
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "");
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: "" }));
  const problem = new Problem(response.status, error);
  problem.retryAfter = Number(response.headers.get("Retry-After"));
  throw problem;
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
