import { setFlagsFromString } from "node:v8";

/** V8 may change its own flags with each version. This one is known from Node 24's. */
const KNOWN_V8 = /^13\./;

/**
 * Makes V8 collect garbage earlier. A command reads 100,000 dead letters and keeps few of them. If V8 collects once the
 * garbage is half as large as what is kept, the command takes a third less memory and hardly more time.
 */
export function collectGarbageEarly(): void {
  if (KNOWN_V8.test(process.versions.v8)) setFlagsFromString("--heap-growing-percent=50");
}
