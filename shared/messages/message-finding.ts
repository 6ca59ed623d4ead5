import type { InvalidFinding } from "../base/invalid-finding.ts";
import { fingerprint } from "./fingerprint.ts";

/** Describes why an item is invalid, if only the error's message is known. */
export function messageFinding(message: string): InvalidFinding {
  const fault = fingerprint("", message).text.slice(2);
  return { fault, ...(fault !== message && { example: message }) };
}
