import { expect, test } from "vitest";
import { refuseNewer } from "../../../shared/base/newer-version.ts";

test("only a whole number above the newest version counts as newer", () => {
  for (const found of [undefined, null, "3", 0, 1, 2, 2.5, Number.NaN]) refuseNewer(found, 2, "the thing");
  expect(() => refuseNewer(3, 2, "the thing", { run: "r" })).toThrow(
    "the thing has version 3, and this Sluice reads versions up to 2: use the version of Sluice that wrote " +
      "it, or a later one (npm install sluice@latest, then deploy)",
  );
});
