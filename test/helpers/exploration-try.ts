import { explore } from "/work/main/test/helpers/exploration.ts";

const scopes: any = {
  s0: { pages: [["good"]], consumers: 1, producers: 1, duplicates: process.argv[3] ?? "received", crashes: 0 },
  s1: { pages: [["good", "bad"]], consumers: 2, producers: 1, duplicates: process.argv[3] ?? "received", crashes: 0 },
  s1c: { pages: [["good", "bad"]], consumers: 2, producers: 1, duplicates: process.argv[3] ?? "received", crashes: 1 },
  s1cc: { pages: [["good", "bad"]], consumers: 2, producers: 1, duplicates: process.argv[3] ?? "received", crashes: 2 },
  s1f: {
    pages: [["good", "fickle"]],
    consumers: 2,
    producers: 1,
    duplicates: process.argv[3] ?? "received",
    crashes: 2,
  },
  s2: {
    pages: [
      ["good", "bad"],
      ["good", "good"],
    ],
    consumers: 2,
    producers: 1,
    duplicates: process.argv[3] ?? "received",
    crashes: 0,
  },
  s2c: {
    pages: [
      ["good", "bad"],
      ["good", "good"],
    ],
    consumers: 2,
    producers: 1,
    duplicates: process.argv[3] ?? "received",
    crashes: 1,
  },
};
const name = process.argv[2]!;
const t = Date.now();
const r = await explore(scopes[name]);
console.log(
  name,
  r.states,
  r.transitions,
  r.ends,
  Date.now() - t,
  r.violation,
  Math.round(process.memoryUsage().rss / 1e6),
);
