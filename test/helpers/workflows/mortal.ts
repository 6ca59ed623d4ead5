import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { defineWorkflow, items, PermanentError } from "../../../shared/index.ts";

const cities = [
  ...Array.from({ length: 5 }, (_, index) => ({ id: index + 1, country: "FR" })),
  ...Array.from({ length: 8 }, (_, index) => ({ id: 101 + index, country: "DE" })),
  { id: 201, country: "XK" },
  { id: 202, country: "XK" },
  { id: 301, country: "Kosovo" },
];

/**
 * Eleven of the sixteen items die. Every attempt of eight items fails until the file `fixed` exists. Two items have an
 * unknown country, and one item fails the schema. The error messages contain the items' ids and control characters.
 */
export default defineWorkflow({
  name: "mortal",
  source: items(cities),
  item: z.object({ id: z.number(), country: z.string().length(2) }),
  async task({ id, country }) {
    if (country === "XK") throw new PermanentError(`no such country: "${country}" of item ${id}`);
    if (country === "DE" && !existsSync(join(process.env.MARKERS ?? ".", "fixed"))) {
      throw new Error(`connect ECONNREFUSED 10.0.0.${id}:5432\u001b]0;owned\u0007\n  while writing item ${id}`);
    }
  },
  concurrency: 4,
  retry: { attempts: 2, backoff: { base: { milliseconds: 0 } } },
});
