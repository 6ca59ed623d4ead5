import { EventEmitter, once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { drained } from "../../../ui/server/drained.ts";
import { EventStreams } from "../../../ui/server/event-streams.ts";
import type { Place } from "../../../ui/server/place.ts";
import { PrivateFiles } from "../../../ui/server/private-files.ts";
import { type Dashboard, startDashboard } from "../../../ui/server/server.ts";
import { DeadLetterWorks } from "../../../ui/server/work.ts";
import { fakePlace } from "../../helpers/fake-place.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { someDeadLetter } from "../../helpers/some-dead-letter.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("The dashboard's server, attacked by a client that has the cookie,", () => {
  let dashboard: Dashboard;
  let cookie: string;
  const samplesOf = vi.fn<Place["samplesOf"]>(() => ({ read: async () => [] }));

  beforeEach(async () => {
    samplesOf.mockClear();
    const files = new PrivateFiles(directory);
    dashboard = await startDashboard({ place: fakePlace({ samplesOf }), files, assets: { script: "1", style: "" } });
    const entered = await fetch(dashboard.url, { redirect: "manual" });
    cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
  });
  afterEach(() => dashboard.close());

  /** Sends a request as text, which a client of Node would refuse to send. Returns the status of the response. */
  async function raw(line: string, more = "", body = ""): Promise<string> {
    const socket = connect(dashboard.port, "127.0.0.1");
    const host = `127.0.0.1:${dashboard.port}`;
    socket.write(`${line} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${more}\r\n${body}`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return answer.toString().slice(9, 12);
  }

  const isAlive = async () => expect(await raw("GET /page.js")).toBe("200");

  test.each([
    ["a path that is no URL", "GET //", "400"],
    ["a host that is no host", "GET http://[/", "400"],
    ["a path to a file", "GET /../../../../etc/passwd", "404"],
    ["an encoded path to a file", "GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd", "404"],
    ["an absolute URL of another host", "GET http://evil.example/api/nothing", "404"],
    ["a path that begins like the page", "GET /page.js/../page.css/..%2f", "404"],
    ["a method that it does not have", "DELETE /api/work", "403"],
  ])("refuses %s, and goes on", async (_, line, status) => {
    expect(await raw(line)).toBe(status);
    await isAlive();
  });

  test.each([
    "/api/events?workflow=..%2F..%2Fother&run=x",
    "/api/events?workflow=..&run=x",
    "/api/events?workflow=cities&run=..%2Fx",
    "/api/events?run=x",
    "/api/logs?run=--help",
    "/api/logs?run=x&item=--follow",
    "/api/run?workflow=.hidden&run=x",
    "/api/results/download?workflow=a&run=%00",
  ])("opens no file that %s names", async (path) => {
    expect(await raw(`GET ${path}`)).toBe("400");
    expect(samplesOf).not.toHaveBeenCalled();
    await isAlive();
  });

  test("refuses a body that says that it is too large, before it is sent", async () => {
    const headers = `Origin: http://127.0.0.1:${dashboard.port}\r\nContent-Type: application/json\r\n`;
    expect(await raw("POST /api/work", `${headers}Content-Length: 40000000\r\n`)).toBe("413");
    await isAlive();
  });

  test("ends a body without a length when it becomes too large", async () => {
    const socket = connect(dashboard.port, "127.0.0.1");
    socket.on("error", () => {});
    const origin = `http://127.0.0.1:${dashboard.port}`;
    socket.write(
      `POST /api/work HTTP/1.1\r\nHost: 127.0.0.1:${dashboard.port}\r\nCookie: ${cookie}\r\nOrigin: ${origin}\r\n` +
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    const mebibyte = `100000\r\n${"x".repeat(0x100000)}\r\n`;
    for (let sent = 0; sent < 40 && !socket.destroyed; sent++) {
      await new Promise<void>((written) => socket.write(mebibyte, () => written()));
    }
    await closed;
    await isAlive();
  });

  test("answers others while a client does not finish its body", async () => {
    const socket = connect(dashboard.port, "127.0.0.1");
    socket.write(
      `POST /api/work HTTP/1.1\r\nHost: 127.0.0.1:${dashboard.port}\r\nCookie: ${cookie}\r\n` +
        `Origin: http://127.0.0.1:${dashboard.port}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
    await once(socket, "connect");
    await isAlive();
    socket.destroy();
  });
});

/** A response that keeps what is written to it. */
class FakeResponse extends EventEmitter {
  written: string[] = [];
  writableLength = 0;
  isEnded = false;
  destroyed = false;
  writableNeedDrain = true;

  writeHead() {
    return this;
  }
  write(text: string) {
    if (this.isEnded) throw new Error("a write after the end");
    this.written.push(text);
    return true;
  }
  end() {
    this.isEnded = true;
  }
  destroy() {
    this.destroyed = true;
    this.emit("close");
  }
  get asResponse() {
    return this as unknown as ServerResponse;
  }
}

describe("Event streams", () => {
  const query = new URLSearchParams();

  test("let a page go that takes nothing, and continue with the others", () => {
    const streams = new EventStreams(fakePlace(), () => undefined);
    const [slow, fast] = [new FakeResponse(), new FakeResponse()];
    vi.useFakeTimers();
    try {
      streams.add(slow.asResponse, query);
      streams.add(fast.asResponse, query);
      slow.writableLength = 17 * 1_024 * 1_024;
      streams.workChanged();
      vi.advanceTimersByTime(200);
      expect([slow.destroyed, fast.destroyed]).toEqual([true, false]);
      streams.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test("refuse more than a hundred pages, until one is closed", () => {
    const streams = new EventStreams(fakePlace(), () => undefined);
    const all = Array.from({ length: 100 }, () => new FakeResponse());
    for (const response of all) streams.add(response.asResponse, query);
    expect(() => streams.add(new FakeResponse().asResponse, query)).toThrow("100 pages are open already");
    all[0]?.destroy();
    streams.add(new FakeResponse().asResponse, query);
    streams.close();
  });

  test("send nothing after they were closed, although a refresh was under way", async () => {
    const refreshed = Promise.withResolvers<void>();
    const place = fakePlace({ refresh: () => refreshed.promise });
    const streams = new EventStreams(place, () => undefined);
    const response = new FakeResponse();
    streams.add(response.asResponse, query);
    await vi.waitFor(() => expect(response.written.join("")).toContain("overview"), PATIENTLY);
    (place as { overview: unknown }).overview = { ...place.overview, place: "changed" };
    streams.close();
    refreshed.resolve();
    await new Promise(setImmediate);
    expect(response.written.join("")).not.toContain("changed");
  });

  test("all pages together cause one refresh, and none while no page is open", async () => {
    vi.useFakeTimers();
    try {
      const refresh = vi.fn(async () => {});
      const streams = new EventStreams(fakePlace({ refresh }), () => undefined);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(refresh).not.toHaveBeenCalled();
      const tabs = Array.from({ length: 5 }, () => new FakeResponse());
      for (const tab of tabs) streams.add(tab.asResponse, query);
      await vi.advanceTimersByTimeAsync(0);
      refresh.mockClear();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(refresh).toHaveBeenCalledTimes(10);
      for (const tab of tabs) tab.destroy();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(refresh).toHaveBeenCalledTimes(10);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("waiting for a slow client leaves no listener behind", async () => {
  const response = new FakeResponse();
  for (let writes = 0; writes < 30; writes++) {
    const waiting = drained(response.asResponse);
    response.emit("drain");
    await waiting;
  }
  expect([response.listenerCount("drain"), response.listenerCount("close")]).toEqual([0, 0]);
  response.destroy();
  await drained(response.asResponse);
});

describe("Work on dead letters", () => {
  const letter = { id: "a", fingerprint: { id: "f", text: "f" }, error: { name: "E", message: "m" } };
  const place = fakePlace({
    load: async ({ see }) => {
      see({
        ...letter,
        reason: "x",
        run: null,
        diedAt: "",
        item: 1,
        failures: [],
        redrives: 0,
      } as unknown as DeadLetter);
      return { message: "1 dead letter loaded." };
    },
    purge: async ({ onProgress }) => {
      onProgress({ phase: "deleting" });
      return { message: "1 dead letter was deleted." };
    },
  });

  const worksWith = async (onChange: (works: DeadLetterWorks) => void) => {
    const works: DeadLetterWorks = new DeadLetterWorks({
      place,
      files: new PrivateFiles(directory),
      onChange: () => onChange(works),
    });
    await works.begin({ kind: "load", workflow: "cities" }).ended;
    return works;
  };

  test("shows what was loaded before until the next load has ended, and after a load that failed", async () => {
    const sizes: (number | undefined)[] = [];
    let ends = Promise.withResolvers<void>();
    const works = new DeadLetterWorks({
      place: fakePlace({
        load: async ({ see }) => {
          for (let number = 0; number <= sizes.length; number++) see(someDeadLetter(number));
          await ends.promise;
          return { message: "loaded" };
        },
      }),
      files: new PrivateFiles(directory),
      onChange: () => {},
    });
    const load = async (fails: boolean) => {
      ends = Promise.withResolvers();
      const { ended } = works.begin({ kind: "load", workflow: "cities" });
      sizes.push(works.loaded("cities")?.size);
      if (fails) ends.reject(new Error("no route"));
      else ends.resolve();
      await ended;
      sizes.push(works.loaded("cities")?.size);
    };
    await load(false);
    await load(false);
    await load(true);
    await load(false);
    expect(sizes).toEqual([undefined, 1, 1, 3, 3, 3, 3, 7]);
    expect(works.loaded("cities")?.read(someDeadLetter(6).id)).toEqual(someDeadLetter(6));
    works.close();
    expect(readdirSync(join(directory, ".dashboard")).filter((name) => name.startsWith("dead-letters"))).toEqual([]);
  });

  test("goes on when the directory of the dashboard was deleted in between", async () => {
    const works = await worksWith(({ view }) => {
      if (view?.phase === "deleting") rmSync(join(directory, ".dashboard"), { recursive: true });
    });
    await works.begin({ kind: "purge", workflow: "cities" }).ended;
    expect(works.view).toMatchObject({ state: "done", message: "1 dead letter was deleted." });
    works.close();
  });

  test("says so if its end cannot be written to the audit log", async () => {
    const works = await worksWith(({ view }) => {
      if (view?.phase !== "deleting") return;
      rmSync(join(directory, ".dashboard"), { recursive: true });
      writeFileSync(join(directory, ".dashboard"), "not a directory");
    });
    await works.begin({ kind: "purge", workflow: "cities" }).ended;
    expect(works.view?.state).toBe("done");
    expect(works.view?.message).toMatch(/^1 dead letter was deleted\. The audit log could not be written: /);
    works.close();
  });
});
