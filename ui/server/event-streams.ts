import type { ServerResponse } from "node:http";
import { toError } from "../../shared/base/errors.ts";
import type { Overview, WorkView } from "./api.ts";
import type { Place, SampleReader } from "./place.ts";
import { RequestError } from "./request-error.ts";
import { nameOf } from "./requests.ts";

const TICK_MILLISECONDS = 1_000;
/** Progress is sent at most this often. */
const WORK_MILLISECONDS = 100;
/** A page that takes nothing for so long that more than this waits for it is let go. It connects again by itself. */
const MOST_WAITING_BYTES = 16 * 1_024 * 1_024;
/** More pages than this are a mistake, such as a page that connects without end. */
const MOST_STREAMS = 100;
/** A stream without events sends a comment this often, so that both sides notice a lost connection. */
const SILENT_TICKS = 10;

interface Stream {
  readonly response: ServerResponse;
  readonly samples: SampleReader | undefined;
  overview: string;
  silentTicks: number;
}

/**
 * Sends events to the pages that are open, as server-sent events. While no page is open, nothing is read.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStreams {
  readonly #place: Place;
  readonly #work: () => WorkView | undefined;
  readonly #streams = new Set<Stream>();
  #timer: NodeJS.Timeout | undefined;
  #workTimer: NodeJS.Timeout | undefined;
  #isTicking = false;
  #problem: string | null = null;

  constructor(place: Place, work: () => WorkView | undefined) {
    this.#place = place;
    this.#work = work;
  }

  /** Adds a page. The query says which run it shows. */
  add(response: ServerResponse, query: URLSearchParams): void {
    if (this.#streams.size >= MOST_STREAMS) {
      throw new RequestError(503, `${MOST_STREAMS} pages are open already: close some of them`);
    }
    const shown = query.has("run") ? ([nameOf(query, "workflow"), nameOf(query, "run")] as const) : undefined;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1000\n\n");
    const samples = shown === undefined ? undefined : this.#place.samplesOf(...shown);
    const stream: Stream = { response, samples, overview: "", silentTicks: 0 };
    this.#streams.add(stream);
    response.on("close", () => this.#remove(stream));
    // The page is gone. Its stream then closes.
    response.on("error", () => {});
    const work = this.#work();
    if (work !== undefined) send(stream, "work", JSON.stringify(work));
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MILLISECONDS);
    void this.#tick();
  }

  /** The work has come further. */
  workChanged(): void {
    this.#workTimer ??= setTimeout(() => {
      this.#workTimer = undefined;
      const text = JSON.stringify(this.#work());
      for (const stream of this.#streams) send(stream, "work", text);
    }, WORK_MILLISECONDS);
  }

  close(): void {
    for (const { response } of this.#streams) response.end();
    // What is being read is no longer sent.
    this.#streams.clear();
    clearInterval(this.#timer);
    clearTimeout(this.#workTimer);
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    // What is known is sent at once, because a refresh can take a while.
    await this.#sendAll();
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      await this.#place.refresh();
      this.#problem = null;
    } catch (error) {
      this.#problem = toError(error).message;
    } finally {
      this.#isTicking = false;
    }
    await this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const known = this.#place.overview;
    const overview = JSON.stringify({ ...known, problem: this.#problem ?? known.problem } satisfies Overview);
    for (const stream of this.#streams) {
      if (stream.overview !== overview) {
        stream.overview = overview;
        send(stream, "overview", overview);
      }
      const samples = (await stream.samples?.read().catch(() => [])) ?? [];
      if (samples.length > 0) send(stream, "samples", JSON.stringify(samples));
      if (stream.silentTicks++ >= SILENT_TICKS) send(stream, "alive", "0");
    }
  }
}

function send(stream: Stream, event: string, data: string): void {
  stream.silentTicks = 0;
  if (stream.response.writableLength > MOST_WAITING_BYTES) return void stream.response.destroy();
  stream.response.write(`event: ${event}\ndata: ${data}\n\n`);
}
