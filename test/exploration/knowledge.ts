/**
 * What the exploration has seen of actors and rows. It merges states that no actor can tell apart, and assumes that what it
 * has never seen does not happen. When something happens for the first time, `learned` rises and the exploration begins
 * again. It ends after a pass that learned nothing: then the assumptions hold in every state.
 */
export class Knowledge {
  readonly #lookedAt = new Map<string, Set<string>>();
  readonly #changing = new Set<string>();
  learned = 0;

  /** The attributes that are looked at in an operation's result or a function's argument, by its place in a program. */
  lookedAt(place: string): Set<string> {
    const known = this.#lookedAt.get(place) ?? new Set();
    this.#lookedAt.set(place, known);
    return known;
  }

  /** Wraps a row so that every attribute that is looked at is noted. */
  watched(row: object, lookedAt: Set<string>): object {
    const look = (attribute: string) => {
      // `await` looks at `then`.
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

  /** Whether an attribute with this value was ever changed. */
  changes(attribute: string): boolean {
    return this.#changing.has(attribute);
  }

  noteChange(attribute: string): void {
    if (this.#changing.has(attribute)) return;
    this.#changing.add(attribute);
    this.learned++;
  }
}

/** Stands for all attributes: an actor listed them, so each of them makes a difference. */
export const EVERYTHING = "*";

/** The part of a row that is looked at. */
export function partOf(row: Readonly<Record<string, unknown>>, lookedAt: ReadonlySet<string> = new Set()): unknown {
  return lookedAt.has(EVERYTHING) ? row : [...lookedAt].sort().map((attribute) => [attribute, row[attribute]]);
}
