/** An element within an element of a parsed XML text. `undefined`: there is none. */
export const at = (node: unknown, name: string): unknown =>
  typeof node === "object" && node !== null ? (node as Readonly<Record<string, unknown>>)[name] : undefined;

/** The elements of a list: the parser gives a list of one as the element itself. */
export function membersOf(list: unknown): readonly unknown[] {
  const members = at(list, "member");
  if (members === undefined) return [];
  return Array.isArray(members) ? members : [members];
}

/** The text of an element. `undefined`: it has none. */
export const textOf = (node: unknown): string | undefined =>
  typeof node === "string" && node !== "" ? node : undefined;
