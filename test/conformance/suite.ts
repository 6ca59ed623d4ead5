import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** Tests that the suite leaves out, by name, each with the reason. */
export type LeftOut = Readonly<Record<string, string>>;

/** A suite of tests that another project wrote for SQS, in Python. */
export interface Suite {
  readonly name: string;
  /** How to get the suite, and the packages that it needs. */
  readonly installation: string;
  /** The files with tests, relative to the suite's source. */
  readonly files: readonly string[];
  /** Arguments for pytest. */
  readonly pytest: readonly string[];
  readonly leftOut: LeftOut;
}

interface Outcome {
  readonly id: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

/**
 * Runs a suite against Sluice's own SQS, and compares what fails with what is left out. Usage:
 * `node <script> <source> [python]`.
 *
 * @returns the exit code: 1 if a test fails that is not left out, or if one passes that is.
 */
export async function runSuite(suite: Suite, [source, python = "python3"]: readonly string[]): Promise<number> {
  if (source === undefined || !suite.files.every((file) => existsSync(join(source, file)))) {
    console.error(`give the path of ${suite.name}'s source as the first argument\n\n${suite.installation}`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), "sluice-suite-"));
  try {
    const record = join(folder, "record.jsonl");
    const child = spawn(python, ["-m", "pytest", "-q", "--tb=short", ...suite.pytest, ...suite.files], {
      cwd: source,
      stdio: "inherit",
      env: {
        ...process.env,
        // The plugins start the SQS under test with this Node.
        PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
        PYTHONPATH: import.meta.dirname,
        SQS_SUITE_SOURCE: source,
        SQS_SUITE_RECORD: record,
      },
    });
    await once(child, "exit");
    if (!existsSync(record)) throw new Error(`pytest ran no test\n\n${suite.installation}`);
    const outcomes = readFileSync(record, "utf8").trim().split("\n");
    return report(
      suite,
      outcomes.map((line) => JSON.parse(line) as Outcome),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function report({ name, leftOut }: Suite, outcomes: readonly Outcome[]): number {
  const ran = outcomes.filter(({ outcome }) => outcome !== "skipped");
  const failed = ran.filter(({ outcome }) => outcome === "failed");
  const unexpected = failed.filter(({ id }) => !isLeftOut(leftOut, id));
  const passedNow = ran.filter(({ id, outcome }) => outcome === "passed" && nameOf(id) in leftOut);
  for (const { id } of unexpected) console.error(`fails, and is not left out: ${id}`);
  for (const { id } of passedNow) console.error(`passes, so it must not be left out: ${id}`);
  const left = failed.length - unexpected.length;
  console.log(
    `${name}: ${ran.length - failed.length} of ${ran.length} tests pass, ${left} are left out, ${unexpected.length} fail`,
  );
  return unexpected.length + passedNow.length === 0 ? 0 : 1;
}

/** `tests/test_sqs.py::TestClass::test_one[first]` → `test_one[first]`. */
function nameOf(id: string): string {
  const [, ...rest] = id.split("::");
  const name = rest.join("::");
  return name.slice(name.slice(0, indexOrEnd(name, "[")).lastIndexOf("::") + 1).replace(/^:/, "");
}

/** A test is left out by its full name, or by its name without the parameters in brackets. */
function isLeftOut(leftOut: LeftOut, id: string): boolean {
  const name = nameOf(id);
  return name in leftOut || name.slice(0, indexOrEnd(name, "[")) in leftOut;
}

function indexOrEnd(text: string, part: string): number {
  const index = text.indexOf(part);
  return index < 0 ? text.length : index;
}
