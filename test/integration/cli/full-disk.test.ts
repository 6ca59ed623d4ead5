import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";
import { CLI } from "../../helpers/cli-file.ts";

/** A namespace in which a person without rights may mount a small file system. Not every system allows it. */
const OWN_MOUNTS = ["--map-root-user", "--mount", "sh", "-c"] as const;
const mayMount = spawnSync("unshare", [...OWN_MOUNTS, "mount -t tmpfs tmpfs /tmp"]).status === 0;

/**
 * A run whose state directory is on a disk of 48 MB, which the task of one item fills. Then the disk has room again, and the
 * run is resumed. The file system exists only as long as this script.
 */
const SCRIPT = `
  mount -t tmpfs -o size=48m,mode=700 tmpfs .sluice || exit 9
  "$NODE" --no-warnings "$CLI" run "$WORKFLOW" >first.out 2>first.err </dev/null; echo $? >first.code
  rm .sluice/filler
  "$NODE" --no-warnings "$CLI" status --json >status.out
  "$NODE" --no-warnings "$CLI" resume fills-disk --json >second.out 2>second.err
  "$NODE" --no-warnings "$CLI" results fills-disk >results.jsonl
`;

const lines = (text: string): readonly Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe.skipIf(!mayMount)("a disk that becomes full during a run", () => {
  test("ends the run with one message, and the run continues where it was once there is room", async () => {
    using world = new CliWorld();
    mkdirSync(`${world.path}/.sluice`, { mode: 0o700 });
    Object.assign(world.environment, { NODE: process.execPath, CLI, WORKFLOW: workflowFile("fills-disk") });
    expect((await world.beginProgram("unshare", ...OWN_MOUNTS, SCRIPT).ended).code).toBe(0);
    expect(world.read("filled")).toContain("ENOSPC");

    const stderr = world.read("first.err");
    expect(world.read("first.code").trim()).toBe("1");
    expect(stderr.replace(/\s+/g, " ")).toMatch(
      /\.sluice cannot be written, because the disk is full .* Nothing that was acknowledged is lost\. Free space .*: npx sluice resume/,
    );
    expect(stderr).not.toContain("    at ");
    expect(world.read("first.out")).not.toContain("    at ");

    const [before] = lines(world.read("status.out")) as readonly { readonly succeeded: number }[];
    const resumed = lines(world.read("second.out"));
    expect(world.read("second.err")).toBe("");
    // What was recorded before the disk was full is not done again.
    const first = resumed.find(({ type }) => type === "progress");
    expect(first?.succeeded).toBeGreaterThanOrEqual(Number(before?.succeeded));
    expect(resumed.at(-1)).toMatchObject({
      type: "summary",
      status: "completed",
      produced: 60,
      succeeded: 60,
      dead: 0,
    });
    const results = lines(world.read("results.jsonl")) as readonly { readonly result: { readonly index: number } }[];
    expect(results.map(({ result }) => result.index)).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });
});
