import { expect, test } from "vitest";
import { asTexts, setValues, typedAs } from "../../../../cli/dlq/set-values.ts";
import { assignment } from "../../../../cli/options/assignment.ts";

const item = { id: 1, address: { zip: "3000" }, tags: ["a"] };

test.each([
  ["id=7", { ...item, id: 7 }],
  ["id=12345678901234567", { ...item, id: 12345678901234567n }],
  ["size=1e400", { ...item, size: "1e400" }],
  ["name=Bern", { ...item, name: "Bern" }],
  ['address.zip="8000"', { ...item, address: { zip: "8000" } }],
  ["address.zip=8000", { ...item, address: { zip: 8000 } }],
  ["address.city.name=Bern", { ...item, address: { zip: "3000", city: { name: "Bern" } } }],
  ["tags[1]=b", { ...item, tags: ["a", "b"] }],
  ["tags=[]", { ...item, tags: [] }],
  ["id=null", { ...item, id: null }],
  ["name=", { ...item, name: "" }],
  ["name=a=b", { ...item, name: "a=b" }],
  [" name =x", { ...item, name: "x" }],
])("%s", (text, expected) => {
  const before = structuredClone(item);
  expect(setValues(item, assignment(text))).toEqual(expected);
  expect(item).toEqual(before);
});

test("several values are set one after the other", () => {
  expect(setValues(item, assignment("tags[0]=c", assignment("id=2")))).toEqual({ ...item, id: 2, tags: ["c"] });
});

test.each(["", "name", "=5", "__proto__.admin=true", "constructor.prototype.admin=true"])("%j is refused", (text) => {
  expect(() => assignment(text)).toThrow(/It must be path=value|cannot be set/);
  expect({}).not.toHaveProperty("admin");
});

test.each(["text", 5, null])("nothing can be set in the item %j", (plain) => {
  expect(() => setValues(plain, assignment("a=1"))).toThrow(/--set needs an object or a list/);
});

test("values that are no texts are typed as texts", () => {
  const typed = ['zip="8000"', "id=7", "ok=true", "none=null", "tags=[1]", "big=12345678901234567"];
  const texts = asTexts(typed.reduce<ReturnType<typeof assignment>>((before, each) => assignment(each, before), []));
  expect(texts?.map(({ value }) => value)).toEqual(["8000", "7", "true", "null", [1], "12345678901234567"]);
  expect(typedAs(texts ?? [])).toContain(`--set 'zip="8000"' --set 'id="7"'`);
  expect(asTexts(assignment("tags=[1]", assignment("zip=a")))).toBeUndefined();
});
