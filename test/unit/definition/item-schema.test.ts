import { describe, expect, test } from "vitest";
import * as z from "zod";
import { InvalidItemError, validateItem } from "../../../shared/definition/item-schema.ts";

async function findingOf(schema: z.ZodType, item: unknown, fieldsFrom?: "header") {
  const result = await validateItem(schema, item, { fieldsFrom });
  if (result instanceof InvalidItemError) return result.finding;
  throw new Error("the item is valid");
}

const person = z.object({ email: z.string() });

describe("the fault of an item", () => {
  test("names a missing field, and a field with a similar name", async () => {
    const finding = await findingOf(person, { id: "1", " E-Mail ": "a@b" }, "header");
    expect(finding).toEqual({ fault: "`email` missing", instead: "the header has ` E-Mail `" });
    expect(await findingOf(person, { id: 1, E_MAIL: "a@b" })).toEqual({
      fault: "`email` missing",
      instead: "the first of them has `E_MAIL`",
    });
  });

  test("names all fields of the item if none has a similar name", async () => {
    expect(await findingOf(person, { id: "1", name: "Ada" }, "header")).toEqual({
      fault: "`email` missing",
      instead: "the header has `id`, `name`",
    });
    expect(await findingOf(person, {})).toEqual({ fault: "`email` missing", instead: undefined });
  });

  test("names nested fields, and several fields", async () => {
    const nested = z.object({ address: z.object({ zip: z.string(), city: z.string() }) });
    expect(await findingOf(nested, { address: { ZIP: "1", City: "x" } })).toEqual({
      fault: "`address.zip` missing; `address.city` missing",
      instead: "the first of them has `ZIP`, `City`",
    });
    const list = z.object({ tags: z.array(z.string()) });
    const first = await findingOf(list, { tags: ["a", 1] });
    expect(first).toEqual(await findingOf(list, { tags: [2, "a"] }));
    expect(first.fault).toMatch(/^`tags\.\[\]`: Invalid input: expected string, received number$/);
  });

  test("is the same for other values, and different for other fields", async () => {
    const price = z.object({ price: z.string().regex(/^\d+$/, { error: ({ input }) => `"${input}" is no price` }) });
    const one = await findingOf(price, { price: "a" });
    expect((await findingOf(price, { price: "b c" })).fault).toBe(one.fault);
    expect(one.instead).toBeUndefined();
    expect(one.fault).toMatch(/^`price`: /);
    expect((await findingOf(price, {})).fault).not.toBe(one.fault);
  });

  test("includes the first item's message if the common text leaves out details", async () => {
    const colour = z.object({ colour: z.enum(["red", "blue"]) });
    expect((await findingOf(colour, { colour: "green" })).example).toBe(
      '`colour`: Invalid option: expected one of "red"|"blue"',
    );
    expect(await findingOf(person, { email: 1 })).not.toHaveProperty("example");
  });

  test("is stated for an item that is not an object, and for a schema that throws", async () => {
    expect((await findingOf(person, 5)).fault).toBe("Invalid input: expected object, received number");
    const throws = z.any().transform(() => {
      throw new Error("no");
    });
    expect((await findingOf(throws, 5)).fault).toBe("the schema threw while it validated the item");
  });
});
