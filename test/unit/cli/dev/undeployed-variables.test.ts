import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { undeployedVariables } from "../../../../cli/dev/undeployed-variables.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

const found = (text: string, names: readonly string[], deployed: readonly string[] = []) => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "workflow.ts");
  writeFileSync(file, text);
  return undeployedVariables(names, deployed, [file, join(directory.path, "gone.ts"), directory.path]);
};

test.each([
  "fetch(process.env.URL + path)",
  'process.env["URL"]',
  "process.env?.URL",
  "const { TOKEN, URL } = process.env;",
  "const {\n  URL: base = '',\n} = process.env;",
])("%j reads the variable URL", (text) => {
  expect(found(text, ["URL", "OTHER"])).toEqual(["URL"]);
  expect(found(text, ["URL", "OTHER"], ["URL"])).toEqual([]);
});

test.each([
  "new URL(process.env.BASE)",
  "process.env.URL_OF_ITEMS",
  'const { URL } = await import("node:url"); process.env.X',
  'secret("URL")',
])("%j does not read the variable URL", (text) => {
  expect(found(text, ["URL"])).toEqual([]);
});
