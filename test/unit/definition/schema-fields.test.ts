import { expect, test } from "vitest";
import * as z from "zod";
import { compareFields, schemaFields } from "../../../shared/definition/schema-fields.ts";

const person = z.object({ id: z.coerce.number(), email: z.string(), born: z.date(), note: z.string().optional() });

test("a schema of zod tells its fields, and which of them are required", () => {
  expect(schemaFields(person)).toEqual({
    known: ["id", "email", "born", "note"],
    required: ["id", "email", "born"],
  });
});

test("a schema that is not of an object, or that does not tell its fields, has none", () => {
  expect(schemaFields(z.string())).toBeUndefined();
  const own = { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } as const;
  expect(schemaFields({ "~standard": own })).toBeUndefined();
  const failing = {
    ...own,
    jsonSchema: {
      input: () => {
        throw new Error("no");
      },
    },
  };
  expect(schemaFields({ "~standard": failing })).toBeUndefined();
});

test("missing and unknown fields are found, with the field that was probably meant", () => {
  const items = [{ id: "1", "E-Mail": "a", born: "x" }, { id: "2", "E-Mail": "b", " note ": "" }, "text"];
  expect(compareFields(items, schemaFields(person))).toEqual({
    fields: ["id", "E-Mail", "born", " note "],
    missing: [
      { field: "email", items: 2, similar: "E-Mail" },
      { field: "born", items: 1 },
    ],
    unknown: ["E-Mail", " note "],
    blanks: [" note "],
  });
});

test("without the fields of a schema, only blanks are found", () => {
  expect(compareFields([{ " a": 1 }], undefined)).toEqual({
    fields: [" a"],
    missing: [],
    unknown: [],
    blanks: [" a"],
  });
  expect(compareFields(["a", 1, null, [1]], undefined)).toBeUndefined();
});
