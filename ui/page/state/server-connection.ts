import { effect, signal } from "@preact/signals";
import type { Sample } from "../../../shared/observe/sample.ts";
import type { Overview, WorkView } from "../../server/api.ts";
import { route } from "./route.ts";

export const overview = signal<Overview | undefined>(undefined);
/** The samples of the run that the page shows. */
export const samples = signal<readonly Sample[]>([]);
export const work = signal<WorkView | undefined>(undefined);

/** `lost`: the server does not answer. `unknown`: a server answers that does not know this page. */
export const connection = signal<"connecting" | "open" | "lost" | "unknown">("connecting");

/** More samples than this make no chart better. */
const MOST_SAMPLES = 20_000;
const RETRY_MILLISECONDS = 1_000;
/** The server sends an event at least every 10 s. */
const SILENT_MILLISECONDS = 25_000;

let source: EventSource | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

/**
 * Connects, and again whenever the page shows another run. A page in the background lets its connection go, because a browser
 * has only six connections to a server, which all its pages share:
 * https://developer.mozilla.org/en-US/docs/Web/API/EventSource
 */
export function keepConnected(): void {
  let shown: string | undefined;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return connect(shown ?? "");
    source?.close();
    source = undefined;
    clearTimeout(retry);
    clearTimeout(silence);
  });
  effect(() => {
    const now = route.value;
    const query: Record<string, string> = now.page === "run" ? { workflow: now.workflow, run: now.run } : {};
    const wanted = new URLSearchParams(query).toString();
    if (wanted === shown) return;
    shown = wanted;
    connect(wanted);
  });
}

function connect(query: string): void {
  clearTimeout(retry);
  source?.close();
  samples.value = [];
  const events = new EventSource(`/api/events?${query}`);
  source = events;
  const heard = () => {
    // The server may have been started again. It sends its latest work if there was one.
    if (connection.value !== "open") work.value = undefined;
    connection.value = "open";
    clearTimeout(silence);
    silence = setTimeout(() => again(), SILENT_MILLISECONDS);
  };
  const again = () => {
    if (source !== events) return;
    connection.value = connection.value === "unknown" ? "unknown" : "lost";
    events.close();
    clearTimeout(retry);
    retry = setTimeout(() => connect(query), RETRY_MILLISECONDS);
    void explain();
  };
  events.onopen = heard;
  events.onerror = again;
  events.addEventListener("alive", heard);
  events.addEventListener("overview", ({ data }) => {
    heard();
    overview.value = JSON.parse(data) as Overview;
  });
  events.addEventListener("samples", ({ data }) => {
    heard();
    samples.value = [...samples.value, ...(JSON.parse(data) as Sample[])].slice(-MOST_SAMPLES);
  });
  events.addEventListener("work", ({ data }) => {
    heard();
    work.value = JSON.parse(data) as WorkView;
  });
}

/** Finds out whether nothing answers, or a server that does not know this page's cookie. */
async function explain(): Promise<void> {
  try {
    const { status } = await fetch("/api/dead-letters?workflow=none");
    connection.value = status === 401 ? "unknown" : "lost";
  } catch {
    connection.value = "lost";
  }
}
