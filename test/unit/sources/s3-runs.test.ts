import { afterEach, beforeEach, expect, test } from "vitest";
import { sourceFacts } from "../../../cli/plan/source-facts.ts";
import { type S3Object, s3Objects } from "../../../shared/index.ts";
import { FakeS3 } from "../../helpers/fake-s3.ts";
import { LanesWorld } from "../../helpers/lanes-world.ts";
import { inParts } from "./s3-line-files.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
  s3.mostKeys = 1;
  for (let index = 0; index < 20; index++)
    s3.put(`in/${String(index).padStart(2, "0")}`, `${2 * index}\n${2 * index + 1}\n`);
});
afterEach(() => s3.restore());

const KEYS = { bucket: "uploads", prefix: "in/", partitions: 6, pageSize: 2 } as const;
const LINES = { bucket: "uploads", prefix: "in/", format: "jsonl", pageSize: 3 } as const;

/** The items of a run with a limit of items, in the order in which they were sent. */
async function firstItems(source: ReturnType<typeof inParts>, limit: number): Promise<readonly unknown[]> {
  const world = new LanesWorld({ source, producers: 4 });
  await world.start(limit);
  await world.drain();
  expect((await world.run()).checkpoint).toMatchObject({ ended: true, items: limit });
  return world.items;
}

test("a run with a limit has exactly the first keys, and exactly the first lines", async () => {
  const objects = (await firstItems(s3Objects(KEYS), 9)) as readonly S3Object[];
  expect(objects.map(({ key }) => key)).toEqual(
    ["00", "01", "02", "03", "04", "05", "06", "07", "08"].map((n) => `in/${n}`),
  );
  expect(await firstItems(inParts(LINES, 20), 11)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("a plan says how many partitions a run would have", async () => {
  expect(await sourceFacts({ source: s3Objects(KEYS), limit: undefined })).toMatchObject({
    partitions: 6,
    warnings: [],
  });
  const { partitions } = await sourceFacts({ source: inParts(LINES, 20), limit: undefined });
  expect(partitions).toBeGreaterThan(3);
});
