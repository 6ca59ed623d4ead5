import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { type Page, page, pagesIn, proseOf, ROOT } from "../../helpers/pages.ts";

const pages = [page("README.md"), page("CONTRIBUTING.md"), ...pagesIn("docs")];

/** The anchors of a page, as GitHub derives them from its headings. */
function anchorsOf(page: Page): ReadonlySet<string> {
  const headings = proseOf(page).matchAll(/^#+ (.+)$/gm);
  return new Set([...headings].map(([, heading = ""]) => anchorOf(heading)));
}

const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
    .replaceAll(" ", "-");

/** What is wrong with the relative links of a page. */
function brokenLinks({ path, text }: Page): readonly string[] {
  const links = [...proseOf({ path, text }).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .flatMap((link) => {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(ROOT, target))) return [`${path}: ${link} is missing`];
      if (anchor === undefined) return [];
      if (statSync(join(ROOT, target)).isDirectory()) return [`${path}: ${link} is a folder`];
      return anchorsOf(page(target)).has(anchor) ? [] : [`${path}: ${link} has no such heading`];
    });
}

/** A file or folder of the code, by its path from the root of the repository: `shared/ledger/roll-up.ts`, `shared/ledger/`. */
const CODE =
  /`((?:bench|biome-rules|cli|create-sluice|functions|infra|local|shared|test|tools|types|ui)\/[\w./-]*(?:\/|\.\w+))`/g;

/** The files and folders of the code that a page names and that do not exist. */
const missingCode = ({ path, text }: Page): readonly string[] =>
  [...proseOf({ path, text }).matchAll(CODE)]
    .flatMap(([, code = ""]) => code)
    .filter((code) => !existsSync(join(ROOT, code)))
    .map((code) => `${path}: ${code} is missing`);

test("every relative link leads to a file and a heading that exist", () => {
  expect(pages.flatMap(brokenLinks)).toEqual([]);
});

test("every file and folder of the code that a page names exists", () => {
  expect(pages.flatMap(missingCode)).toEqual([]);
});

test("the index of the documentation links to every page", () => {
  const { text } = page("docs/README.md");
  const unlisted = pagesIn("docs/guides")
    .concat(pagesIn("docs/internals"))
    .filter(({ path }) => !text.includes(`](${path.replace("docs/", "")})`));
  expect(unlisted.map(({ path }) => path)).toEqual([]);
});

describe("a broken link", () => {
  const broken = (text: string) => brokenLinks({ path: "docs/README.md", text });

  test("is found if the file is missing", () => {
    expect(broken("[a](guides/nowhere.md)")).toEqual(["docs/README.md: guides/nowhere.md is missing"]);
  });

  test("is found if the heading is missing", () => {
    expect(broken("[a](guides/deploy.md#nowhere)")).toEqual([
      "docs/README.md: guides/deploy.md#nowhere has no such heading",
    ]);
  });

  test("is not looked for in a block of code", () => {
    expect(broken("```md\n[a](nowhere.md)\n```")).toEqual([]);
  });
});

test("a file or a folder of the code that is missing is found", () => {
  const text = "`shared/ledger/roll-up.ts` and `cli/` exist, but `shared/none.ts` and `test/none/` do not.";
  expect(missingCode({ path: "docs/README.md", text })).toEqual([
    "docs/README.md: shared/none.ts is missing",
    "docs/README.md: test/none/ is missing",
  ]);
});
