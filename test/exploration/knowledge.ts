/**
 * What is known of actors and rows, by having gone through what there is. It is used to leave out states that nobody can tell
 * apart, on the assumption that what never happened never does. Whenever it does for the first time, `learned` rises, and
 * all is gone through again, until it was gone through once without anything being learned: then the assumptions hold
 * of every state.
 */
export class Knowledge {
  readonly #lookedAt = new Map<string, Set<string>>();
  readonly #changing = new Set<string>();
  learned = 0;

  /** Which attributes are looked at, of the results of an operation or of a function's argument, by its place in a program. */
  lookedAt(place: string): Set<string> {
    const known = this.#lookedAt.get(place) ?? new Set();
    this.#lookedAt.set(place, known);
    return known;
  }

  /** A row that notes which of its attributes are looked at. */
  watched(row: object, lookedAt: Set<string>): object {
    const look = (attribute: string) => {
      // An answer is asked whether it is a promise.
      if (lookedAt.has(attribute) || attribute === "then") return;
      lookedAt.add(attribute);
      this.learned++;
    };
    return new Proxy(row, {
      get(target, attribute, receiver) {
        if (typeof attribute === "string") look(attribute);
        return Reflect.get(target, attribute, receiver);
      },
      ownKeys(target) {
        look(EVERYTHING);
        return Reflect.ownKeys(target);
      },
    });
  }

  /** Whether an attribute of a row, with its value, ever becomes another. */
  changes(attribute: string): boolean {
    return this.#changing.has(attribute);
  }

  noteChange(attribute: string): void {
    if (this.#changing.has(attribute)) return;
    this.#changing.add(attribute);
    this.learned++;
  }
}

/** Its attributes were listed: which there are makes a difference. */
export const EVERYTHING = "*";

/** What of a row is looked at. */
export function partOf(row: Readonly<Record<string, unknown>>, lookedAt: ReadonlySet<string> = new Set()): unknown {
  return lookedAt.has(EVERYTHING) ? row : [...lookedAt].sort().map((attribute) => [attribute, row[attribute]]);
}
