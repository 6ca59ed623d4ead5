import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SIMULATED_MUTANTS } from "../chaos/simulated/mutants.ts";
import { changeMarked, productMarkers } from "../exploration/markers.ts";
import { MUTANTS } from "../exploration/mutants.ts";

const markers = productMarkers();
const mutants = [...MUTANTS, ...SIMULATED_MUTANTS];

describe("The mutants of the exploration and of simulated chaos", () => {
  test("each have one marker in the product's source, and each marker has a mutant", () => {
    expect(markers.map(({ mutant }) => mutant).sort()).toEqual(mutants.map(({ name }) => name).sort());
  });

  test.for(mutants)("change what is marked $name", ({ name, change }) => {
    const file = markers.find(({ mutant }) => mutant === name)?.file ?? expect.fail("it has no marker");
    const source = readFileSync(file, "utf8");
    expect(changeMarked(source, name, change)).not.toBe(source);
  });
});

describe("A marker", () => {
  const removed = (source: string) => changeMarked(source, "here", () => "");

  test("marks one statement, over several lines", () => {
    expect(removed("a();\n// mutant: here\nb(\n  [1, 2],\n);\nc();")).toBe("a();\n// mutant: here\n\nc();");
  });

  test("marks one property of an object, also the last", () => {
    expect(removed("f({\n// mutant: here\na: [1, 2],\nb: 3,\n});")).toBe("f({\n// mutant: here\n\nb: 3,\n});");
    expect(removed("f({\n// mutant: here\na: { b: 1 } })")).toBe("f({\n// mutant: here\n})");
  });

  test("takes no bracket, comma or semicolon from a string or a comment", () => {
    const statement = 'a(\'(\', "\\"[", `{`); // ;\nb();';
    expect(removed(`// mutant: here\n// not this; nor this (\n${statement}`)).toBe("// mutant: here\n // ;\nb();");
  });

  test("of another mutant is left alone", () => {
    expect(() => removed("// mutant: here and there\na();")).toThrow('no line "// mutant: here"');
  });

  test("before something that the change does not fit is an error", () => {
    expect(() => changeMarked("// mutant: here\na();", "here", (marked) => marked)).toThrow(
      'the mutant "here" changes nothing in: a();',
    );
  });
});
