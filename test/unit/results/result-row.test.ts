import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeRow, partRowHead, readPartRowHead, readRowHead } from "../../../shared/results/result-row.ts";

const row = { page: 1, epoch: 1, index: 7, generation: 0, result: '{"noon":"12:03"}' };

test("a row is one line of JSON whose place comes first", () => {
  expect(encodeRow(row)).toBe('{"page":1,"epoch":1,"index":7,"generation":0,"result":{"noon":"12:03"}}\n');
  expect(JSON.parse(encodeRow({ ...row, attempts: 2, finishedAt: "2026-11-28T08:15:00.000Z", item: "[1]" }))).toEqual({
    ...row,
    result: { noon: "12:03" },
    attempts: 2,
    finishedAt: "2026-11-28T08:15:00.000Z",
    item: [1],
  });
});

test("the place of any row is read back, and the rest of the row follows the head of a part's row", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 1_000 }),
      fc.nat({ max: 199 }),
      fc.nat({ max: 50 }),
      fc.jsonValue(),
      fc.string({ minLength: 1 }),
      (page, epoch, index, generation, result, run) => {
        const line = Buffer.from(`x${encodeRow({ page, epoch, index, generation, result: JSON.stringify(result) })}`);
        const { length, ...place } = readRowHead(line, 1);
        expect(place).toEqual({ page, epoch, index, generation });
        const head = partRowHead({ run, partition: 0, page, index });
        const part = Buffer.concat([Buffer.from(head), line.subarray(1 + length)]);
        expect(JSON.parse(part.toString())).toEqual({
          id: `${run}/${page}/${index}`,
          result: JSON.parse(JSON.stringify(result)),
        });
        expect(readPartRowHead(part)).toEqual({ page, index, length: Buffer.byteLength(head) });
      },
    ),
  );
});

test("what is no row is an error that shows it", () => {
  expect(() => readRowHead(Buffer.from('{"id":"run/1/7"}'))).toThrow('not a row of a result: {"id":"run/1/7"}');
  expect(() => readPartRowHead(Buffer.from("{}"))).toThrow("not a row of a part: {}");
});
