import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isSluiceError, toError } from "../../shared/base/errors.ts";
import { Access } from "./access.ts";
import type { ApiError, DeadLetterPage, LoadedIds } from "./api.ts";
import { type Assets, HTML, loadAssets } from "./assets.ts";
import { drained } from "./drained.ts";
import { EventStreams } from "./event-streams.ts";
import { sendExport } from "./export-download.ts";
import type { Place } from "./place.ts";
import type { PrivateFiles } from "./private-files.ts";
import { RequestError } from "./request-error.ts";
import {
  bodyAs,
  checkRequest,
  commandRequest,
  filterOf,
  loadedIds,
  logRequestOf,
  nameOf,
  workRequest,
} from "./requests.ts";
import { DeadLetterWorks } from "./work.ts";

/** The largest body of a request: edits of items of up to a mebibyte. */
const MOST_BODY_BYTES = 32 * 1_024 * 1_024;
const MOST_ROWS = 500;
/** The log of a stack may take many requests. */
const LOG_MILLISECONDS = 120_000;

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

export interface DashboardOptions {
  readonly place: Place;
  readonly files: PrivateFiles;
  /** Default: the port of the last time if it is free, or else any free port. */
  readonly port?: number | undefined;
  /** Default: the built page of the package, or a bundle of the checkout. */
  readonly assets?: Assets | undefined;
}

/** A running dashboard. */
export interface Dashboard {
  /** The URL to open. It contains the access token, so it must not be shared. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts the server of the dashboard on 127.0.0.1.
 *
 * @throws {Error} `EADDRINUSE`: the port is in use.
 * @example const { url } = await startDashboard({ place, files: new PrivateFiles(stateRoot()) });
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { place, files } = options;
  const session = files.session();
  const assets = options.assets ?? (await loadAssets());
  const server = createServer();
  await listen(server, options.port === undefined ? [session.port ?? 0, 0] : [options.port]);
  const { port } = server.address() as AddressInfo;
  files.keepSession({ port, secret: session.secret });
  const access = new Access({ port, secret: session.secret, token: randomBytes(32).toString("base64url") });
  const streams: EventStreams = new EventStreams(place, () => works.view);
  const works = new DeadLetterWorks({ place, files, onChange: () => streams.workChanged() });
  const routes = new Routes({ place, files, assets, streams, works });
  server.on("request", (request, response) => {
    void answer({ request, response, access, routes });
  });
  return {
    url: access.url,
    port,
    async close() {
      streams.close();
      works.close();
      server.close();
      server.closeAllConnections();
      await place.close();
    },
  };
}

/** Listens at the first of the ports that is free. */
async function listen(server: Server, ports: readonly number[]): Promise<void> {
  for (const [index, port] of ports.entries()) {
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      return;
    } catch (error) {
      if (index === ports.length - 1) throw error;
    }
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function answer({
  request,
  response,
  access,
  routes,
}: Exchange & { readonly access: Access; readonly routes: Routes }): Promise<void> {
  try {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const verdict = access.check(request);
    if (verdict.tag === "refused") throw new RequestError(verdict.status, verdict.message);
    if (verdict.tag === "enter") {
      response.writeHead(303, { location: "/", "set-cookie": access.setCookie }).end();
      return;
    }
    await routes.answer(request, response);
  } catch (thrown) {
    const error = toError(thrown);
    const status = error instanceof RequestError ? error.status : isSluiceError(error) ? 409 : 500;
    if (response.headersSent) response.destroy();
    else sendJson(response, { error: error.message } satisfies ApiError, status);
  }
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}

const sendText = (response: ServerResponse, type: string, text: string) =>
  response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);

interface RouteOptions {
  readonly place: Place;
  readonly files: PrivateFiles;
  readonly assets: Assets;
  readonly streams: EventStreams;
  readonly works: DeadLetterWorks;
}

/** Answers the requests that `Access` allows. */
class Routes {
  readonly #place: Place;
  readonly #files: PrivateFiles;
  readonly #assets: Assets;
  readonly #streams: EventStreams;
  readonly #works: DeadLetterWorks;

  constructor({ place, files, assets, streams, works }: RouteOptions) {
    this.#place = place;
    this.#files = files;
    this.#assets = assets;
    this.#streams = streams;
    this.#works = works;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://localhost");
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return void sendText(response, "text/html", HTML);
      case "GET /page.js":
        return void sendText(response, "text/javascript", this.#assets.script);
      case "GET /page.css":
        return void sendText(response, "text/css", this.#assets.style);
      case "GET /api/events":
        return this.#streams.add(response, query);
      case "GET /api/run":
        return sendJson(response, await this.#place.detail(nameOf(query, "workflow"), nameOf(query, "run")));
      case "GET /api/partitions":
        return sendJson(response, await this.#partitions(query));
      case "GET /api/durations":
        return sendJson(response, await this.#place.durations(nameOf(query, "workflow"), nameOf(query, "run")));
      case "GET /api/logs":
        return sendJson(response, await this.#logs(response, query));
      case "GET /api/results":
        return sendJson(response, await this.#place.results(nameOf(query, "workflow"), nameOf(query, "run")));
      case "GET /api/results/download":
        return await this.#download(response, query);
      case "GET /api/dead-letters":
        return sendJson(response, this.#deadLetters(query));
      case "GET /api/dead-letter":
        return sendJson(response, this.#deadLetter(query));
      case "GET /api/dead-letters/export":
        return await this.#export(response, query);
      case "POST /api/dead-letters/loaded": {
        const { workflow, ids } = bodyAs(loadedIds, await bodyOf(request));
        const there = this.#works.loaded(workflow)?.idsOf({ ids }) ?? [];
        return sendJson(response, { workflow, ids: [...there] } satisfies LoadedIds);
      }
      case "POST /api/command":
        return sendJson(response, await this.#command(await bodyOf(request)));
      case "POST /api/check": {
        const { workflow, selection, edits } = bodyAs(checkRequest, await bodyOf(request));
        return sendJson(response, await this.#works.check(workflow, selection, edits));
      }
      case "POST /api/work":
        return sendJson(response, this.#work(await bodyOf(request)));
      case "POST /api/work/stop":
        this.#works.stop();
        return sendJson(response, {});
      default:
        throw new RequestError(404, `there is no ${request.method} ${pathname}`);
    }
  }

  #checkWritable(): void {
    if (this.#place.overview.writable) return;
    throw new RequestError(403, "a deployed stack is shown without changing it: start npx sluice ui with --write");
  }

  async #command(body: string) {
    this.#checkWritable();
    const request = bodyAs(commandRequest, body);
    this.#files.audit({ ...request, event: "began" });
    try {
      const message = await this.#place.command(request);
      this.#files.audit({ ...request, event: "ended", message });
      return { message };
    } catch (error) {
      this.#files.audit({ ...request, event: "failed", message: toError(error).message });
      throw error;
    }
  }

  #work(body: string) {
    const request = bodyAs(workRequest, body);
    // Loading and a dry run receive dead letters and make them visible again.
    if (request.kind === "redrive" || request.kind === "purge") this.#checkWritable();
    this.#works.begin(request);
    return {};
  }

  #deadLetters(query: URLSearchParams): DeadLetterPage {
    const loaded = this.#works.loaded(nameOf(query, "workflow"));
    if (loaded === undefined) {
      return { loadedAt: null, loaded: 0, matching: 0, groups: [], runs: [], reasons: [], rows: [], note: null };
    }
    const offset = offsetOf(query);
    const limit = Math.min(MOST_ROWS, Math.max(0, Number(query.get("limit") ?? 100) || 0));
    return loaded.page(filterOf(query), { offset, limit });
  }

  #deadLetter(query: URLSearchParams) {
    const view = this.#works.loaded(nameOf(query, "workflow"))?.view(query.get("id") ?? "");
    if (view === undefined) throw new RequestError(404, "this dead letter is not loaded: load the dead letters again");
    return view;
  }

  async #partitions(query: URLSearchParams) {
    const show = query.get("show") === "open" ? "open" : "all";
    return await this.#place.partitions(nameOf(query, "workflow"), nameOf(query, "run"), show, offsetOf(query));
  }

  /** Reads a log for as long as the page waits for it. */
  async #logs(response: ServerResponse, query: URLSearchParams) {
    const stop = new AbortController();
    response.on("close", () => stop.abort());
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(LOG_MILLISECONDS)]);
    return await this.#place.logs(logRequestOf(query), signal);
  }

  async #export(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const workflow = nameOf(query, "workflow");
    const loaded = this.#works.loaded(workflow);
    if (loaded === undefined) throw new RequestError(409, `load the dead letters of ${workflow} first`);
    const ids = query.get("ids")?.split(",");
    await sendExport(response, { workflow, loaded, ids: loaded.idsOf({ ids, filter: filterOf(query) }) });
  }

  async #download(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const [workflow, run] = [nameOf(query, "workflow"), nameOf(query, "run")];
    const format = query.get("format") === "csv" ? "csv" : "jsonl";
    const rows = this.#place.download(workflow, run, format)[Symbol.asyncIterator]();
    // An error before the first row is an answer that the page can show.
    let next = await rows.next();
    response.writeHead(200, {
      "content-type": format === "csv" ? "text/csv; charset=utf-8" : "application/jsonl; charset=utf-8",
      "content-disposition": `attachment; filename="results-${workflow}-${run}.${format}"`,
    });
    for (; next.done !== true; next = await rows.next()) {
      if (response.destroyed) return void (await rows.return?.());
      if (!response.write(next.value)) await drained(response);
    }
    response.end();
  }
}

const offsetOf = (query: URLSearchParams): number => Math.max(0, Math.floor(Number(query.get("offset"))) || 0);

async function bodyOf(request: IncomingMessage): Promise<string> {
  if (Number(request.headers["content-length"]) > MOST_BODY_BYTES) {
    throw new RequestError(413, "the body is larger than 32 MiB");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) throw new RequestError(413, "the body is larger than 32 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
