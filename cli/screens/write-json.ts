import { jsonText } from "../../shared/base/exact-json.ts";
import { printableJson } from "./printable.ts";

/** Prints a value on the standard output, as JSON on one line. */
export function writeJson(value: object): void {
  process.stdout.write(`${printableJson(jsonText(value) ?? "")}\n`);
}
