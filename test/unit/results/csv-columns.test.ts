import { expect, test } from "vitest";
import { CsvRows } from "../../../shared/results/csv-columns.ts";

const cells = (result: object): string =>
  new CsvRows([], Object.keys(result)).line(Buffer.from(JSON.stringify({ id: "r/0/0", result })));

test.for(["=", "+", "-", "@", "\t", "\0", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"])(
  "a text that begins with %j gets an apostrophe",
  (first) => {
    expect(cells({ text: `${first}1+1` })).toBe(`r/0/0,'${first}1+1\n`);
  },
);

test.for(["\r", "\n"])("so does a text that begins with %j, in quotes", (first) => {
  expect(cells({ text: `${first}=1` })).toBe(`r/0/0,"'${first}=1"\n`);
});

test("numbers keep their sign, and other texts stay as they are", () => {
  expect(cells({ a: -5, b: "a=b", c: "1,5", d: 'a"b', e: true, f: null })).toBe('r/0/0,-5,a=b,"1,5","a""b",true,\n');
});
