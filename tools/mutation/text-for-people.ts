/** The parts of Babel's `NodePath` that are used: a piece of code and what is around it. */
export interface Code {
  readonly node: Node;
  readonly parentPath: Code | null;
}

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly callee?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly arguments?: readonly Node[];
  readonly quasis?: readonly { readonly value: { readonly raw: string } }[];
}

/**
 * Whether a piece of code is a sentence that only people read: a text with a space that is passed to the constructor of an
 * error, to a logger, or to the functions of `local/sqs` that word a refusal. Codes and names have no space, and programs
 * read them.
 */
export function isTextForPeople(code: Code): boolean {
  if (!textOf(code.node).includes(" ")) return false;
  for (let inner = code, outer = code.parentPath; outer !== null; inner = outer, outer = outer.parentPath) {
    const { type, callee } = outer.node;
    // A text in a function that is passed on is no argument itself.
    if (/Function|Statement$/.test(type)) return false;
    if ((type !== "NewExpression" && type !== "CallExpression") || callee === inner.node) continue;
    return type === "NewExpression" ? /Error$/.test(callee?.name ?? "") : speaksToPeople(callee);
  }
  return false;
}

const speaksToPeople = (callee: Node | undefined): boolean =>
  /^(invalidParameter|refuse|refused)$/.test(callee?.name ?? "") || isLogger(callee?.object);

const isLogger = (node: Node | undefined): boolean => /^#?logger$/i.test(nameOf(node) ?? "");

/** The name of `logger`, `this.logger`, `this.#logger` and `options.logger`. */
const nameOf = (node: Node | undefined): string | undefined =>
  node?.name ?? node?.property?.name ?? (node?.property as { id?: Node } | undefined)?.id?.name;

function textOf({ type, value, quasis = [] }: Node): string {
  if (type === "StringLiteral") return String(value);
  return type === "TemplateLiteral" ? quasis.map((part) => part.value.raw).join("") : "";
}
