import type { ExactJson } from "../base/exact-json.ts";

/**
 * Parses an array as PostgreSQL writes it, such as `{1,NULL,"a \"b\""}` or `{{1,2},{3,4}}`.
 * https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 *
 * @param convert Converts the text of an element.
 * @throws {Error} The array does not start at 1, which a list cannot say, or the text is malformed.
 */
export function parseArray(text: string, convert: (element: string) => ExactJson): readonly ExactJson[] {
  if (text.startsWith("[")) {
    const [bounds] = text.split("=");
    throw new Error(`the array has the bounds ${bounds}, which a list cannot hold: set arrays: "text"`);
  }
  let at = 0;
  const malformed = () => new Error(`the array ${text.slice(0, 100)} is malformed at character ${at + 1}`);

  const quoted = (): string => {
    let element = "";
    for (at += 1; text[at] !== '"'; at++) {
      if (text[at] === "\\") at += 1;
      const character = text[at];
      if (character === undefined) throw malformed();
      element += character;
    }
    at += 1;
    return element;
  };
  const unquoted = (): string => {
    const start = at;
    while (at < text.length && text[at] !== "," && text[at] !== "}") at += 1;
    if (at === start) throw malformed();
    return text.slice(start, at);
  };
  const element = (): ExactJson => {
    if (text[at] === "{") return list();
    if (text[at] === '"') return convert(quoted());
    const bare = unquoted();
    return bare === "NULL" ? null : convert(bare);
  };
  const list = (): ExactJson[] => {
    if (text[at] !== "{") throw malformed();
    at += 1;
    const elements: ExactJson[] = [];
    while (text[at] !== "}") {
      elements.push(element());
      if (text[at] === ",") at += 1;
      else if (text[at] !== "}") throw malformed();
    }
    at += 1;
    return elements;
  };

  const parsed = list();
  if (at !== text.length) throw malformed();
  return parsed;
}
