/** A text that is the same for equal content, whatever the order of its keys. */
export function canonical(value: unknown): string {
  if (value instanceof Map) return canonical([...value].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (value instanceof Set) return `{${[...value].sort((a, b) => a - b).join()}}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const entries = Object.entries(value).filter(([, content]) => content !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => `${JSON.stringify(name)}:${canonical(content)}`)
    .join()}}`;
}

/** Makes the text of each value once. */
export class Texts {
  readonly #known = new WeakMap<object, string>();

  text(value: unknown): string {
    if (typeof value !== "object" || value === null) return String(value);
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const text = canonical(value);
    this.#known.set(value, text);
    return text;
  }
}
