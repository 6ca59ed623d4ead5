import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pruneDeclarations } from "./declarations.ts";
import { deleteEmptyModules } from "./empty-modules.ts";
import { filesIn } from "./files.ts";
import { packPage } from "./page.ts";
import { vendor } from "./vendor.ts";
import { VENDORED } from "./vendored.ts";
import { withoutComments } from "./without-comments.ts";

/**
 * `node tools/packing/main.ts dist` makes the output of `tsc` small: it takes in the code of the vendored packages, and
 * deletes comments, modules that had types only, and the declarations that nobody can import. It adds the page of the dashboard.
 */
const root = fileURLToPath(new URL("../..", import.meta.url));
const [, , directory = "dist"] = process.argv;
const { exports }: { readonly exports: Readonly<Record<string, { readonly types?: string }>> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
const types = Object.values(exports).flatMap((entry) => entry.types ?? []);

const modules = filesIn(resolve(directory)).filter((file) => file.endsWith(".js"));
await withoutComments(modules);
deleteEmptyModules(modules);
await vendor(resolve(directory), root);
pruneDeclarations(
  resolve(directory),
  types.map((file) => join(root, file)),
  VENDORED,
);
// The page is small already. So it comes after the steps that change modules.
await packPage(resolve(directory, "ui/page"), root);
