import { setFlagsFromString } from "node:v8";

/** V8 may change its flags with each version. The V8 of Node 24 has the flag that is set below. */
const KNOWN_V8 = /^13\./;

/**
 * Makes V8 collect garbage earlier. A command reads 100,000 dead letters and keeps few of them. If V8 collects once the
 * garbage is half as large as what is kept, the command takes a third less memory and hardly more time.
 */
export function collectGarbageEarly(): void {
  if (KNOWN_V8.test(process.versions.v8)) setFlagsFromString("--heap-growing-percent=50");
}
