import { beforeEach, describe, expect, test } from "vitest";
import type { FromVersion, LoadedVersion, ToVersion } from "../../../../cli/dev/protocol.ts";
import type { VersionObserver } from "../../../../cli/dev/version-process.ts";
import { Versions } from "../../../../cli/dev/versions.ts";

/** A process that does what the test says. */
class FakeProcess {
  readonly sent: ToVersion[] = [];
  readonly observer: VersionObserver;
  readonly ended: Promise<string>;
  isKilled = false;
  #end: (how: string) => void = () => {};

  constructor(observer: VersionObserver) {
    this.observer = observer;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  send(message: ToVersion): void {
    this.sent.push(message);
  }

  kill(): void {
    this.isKilled = true;
    this.#end("signal SIGKILL");
  }

  tell(message: FromVersion): void {
    this.observer.onMessage(message);
  }

  async end(how = "exit code 0"): Promise<void> {
    this.#end(how);
    await this.ended;
  }
}

const watched = { files: [], names: {}, listings: [] };
const LOADED: LoadedVersion = {
  type: "loaded",
  workflow: "w",
  concurrency: 2,
  deployedNames: [],
  watched,
  state: "",
  isStale: false,
};
const BROKEN: FromVersion = { type: "broken", error: { code: "CONFIGURATION", message: "no" }, watched };
const RUN = { run: "r1", requestedAt: "2026-11-28T08:00:00.000Z" };

let processes: FakeProcess[];
let events: string[];
let versions: Versions;

beforeEach(() => {
  processes = [];
  events = [];
  versions = new Versions(
    { file: "w.ts", name: "w" },
    {
      onLoaded: () => events.push("loaded"),
      onBroken: (_error, _broken, goesOn) => events.push(goesOn ? "broken, the old one goes on" : "broken"),
      onReplacing: () => events.push("replacing"),
      onReady: () => events.push("ready"),
      onFailed: ({ code }) => events.push(`failed ${code}`),
      onFatal: ({ code }) => events.push(`fatal ${code}`),
      onNews: ({ type }) => events.push(type),
      onOutput: (text) => events.push(text),
    },
    (_input, _variables, observer) => {
      const started = new FakeProcess(observer);
      processes.push(started);
      return started;
    },
  );
});

/** Loads a version, and returns its process. */
function load(): FakeProcess {
  versions.load({});
  const started = processes.at(-1);
  if (started === undefined) throw new Error("no process was started");
  return started;
}

/** Loads a version whose engine runs. */
function running(): FakeProcess {
  const version = load();
  version.tell(LOADED);
  version.tell({ type: "ready" });
  events.length = 0;
  return version;
}

test("the first version runs at once, and gets the run that was requested before", () => {
  versions.request(RUN);
  const first = load();
  first.tell(LOADED);
  expect(first.sent).toEqual([{ type: "run", expected: [] }]);
  first.tell({ type: "ready" });
  expect(first.sent.at(-1)).toEqual({ type: "start", ...RUN });
  expect(events).toEqual(["loaded", "ready"]);
  versions.request({ ...RUN, run: "r2" });
  expect(first.sent.at(-1)).toEqual({ type: "start", ...RUN, run: "r2" });
});

describe("a new version", () => {
  test("begins when the one before has ended, and continues its run", async () => {
    const first = running();
    versions.request(RUN);
    const second = load();
    second.tell(LOADED);
    expect(first.sent.at(-1)).toEqual({ type: "stop", milliseconds: 5_000 });
    expect(second.sent).toEqual([]);
    await first.end();
    expect(second.sent).toEqual([{ type: "run", expected: ["r1"] }]);
    second.tell({ type: "ready" });
    expect(events).toEqual(["loaded", "replacing", "ready"]);
    second.tell({ type: "ended", run: "r1" } as FromVersion);
    expect(versions.unfinished.size).toBe(0);
  });

  test("that is broken changes nothing for the old one", async () => {
    const first = running();
    const second = load();
    second.tell(BROKEN);
    await second.end("exit code 1");
    expect(events).toEqual(["broken, the old one goes on"]);
    expect(first.sent.map(({ type }) => type)).toEqual(["run"]);
    expect(versions.isReady).toBe(true);
  });

  test("that is broken does not stop another one that waits for the old one to end", async () => {
    const first = running();
    const second = load();
    second.tell(LOADED);
    const third = load();
    third.tell(BROKEN);
    await third.end("exit code 1");
    await first.end();
    expect(second.sent).toEqual([{ type: "run", expected: [] }]);
    expect(events).toEqual(["loaded", "replacing", "broken, the old one goes on"]);
  });

  test("replaces one that still loads, and one that waits", async () => {
    const first = running();
    const second = load();
    const third = load();
    expect(second.isKilled).toBe(true);
    second.tell(LOADED);
    expect(events).toEqual([]);
    third.tell(LOADED);
    const fourth = load();
    fourth.tell(LOADED);
    expect(third.isKilled).toBe(true);
    await first.end();
    expect(fourth.sent).toEqual([{ type: "run", expected: [] }]);
    expect(first.sent.filter(({ type }) => type === "stop")).toHaveLength(1);
  });

  test("gets a run that was requested while the old one ended", async () => {
    const first = running();
    const second = load();
    second.tell(LOADED);
    versions.request(RUN);
    expect(first.sent.at(-1)?.type).toBe("stop");
    await first.end();
    second.tell({ type: "ready" });
    expect(second.sent).toEqual([
      { type: "run", expected: [] },
      { type: "start", ...RUN },
    ]);
  });
});

describe("a version that fails", () => {
  test("at the start of its engine leaves nothing running, and the next one begins at once", async () => {
    const first = running();
    versions.request(RUN);
    first.tell({ type: "failed", error: { code: "FUNCTION_FAILED", message: "no" }, isFatal: false });
    await first.end("exit code 1");
    expect(events).toEqual(["failed FUNCTION_FAILED"]);
    expect(versions.isRunning).toBe(false);
    expect(versions.unfinished.size).toBe(0);
    const second = load();
    second.tell(LOADED);
    expect(second.sent).toEqual([{ type: "run", expected: [] }]);
  });

  test("because another command uses the state is fatal", async () => {
    const first = load();
    first.tell(LOADED);
    first.tell({ type: "failed", error: { code: "ENGINE_RUNNING", message: "no" }, isFatal: true });
    await first.end("exit code 1");
    expect(events).toEqual(["loaded", "fatal ENGINE_RUNNING"]);
  });

  test("without a word is told", async () => {
    const candidate = load();
    await candidate.end("signal SIGKILL");
    expect(events).toEqual(["failed ENGINE_ENDED"]);
    const first = running();
    await first.end("signal SIGKILL");
    expect(events).toEqual(["fatal ENGINE_ENDED"]);
  });
});

test("the end waits for the attempts of the version that works, and ends the others at once", async () => {
  const first = running();
  const second = load();
  let isClosed = false;
  const closing = versions.close().then(() => {
    isClosed = true;
  });
  expect(second.isKilled).toBe(true);
  expect(first.sent.at(-1)).toEqual({ type: "stop" });
  await second.end();
  expect(isClosed).toBe(false);
  versions.kill();
  expect(first.isKilled).toBe(true);
  await closing;
  expect(events).toEqual([]);
});

test("a run that no engine has got is not left to be continued", async () => {
  versions.request(RUN);
  load();
  await versions.close();
  expect(versions.unfinished.size).toBe(0);
});
