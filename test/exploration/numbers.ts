/** The highest number that fits into a state. */
export const MOST = 65_535;

/** Gives each different thing a number, so that things are compared by number. 0 stands for no thing. */
export class Numbers<Thing> {
  readonly #textOf: (thing: Thing) => string;
  readonly #numbers = new Map<string, number>();
  readonly #things: (Thing | undefined)[] = [undefined];

  constructor(textOf: (thing: Thing) => string) {
    this.#textOf = textOf;
  }

  number(thing: Thing): number {
    const text = this.#textOf(thing);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#things.push(thing) - 1;
    if (number > MOST) throw new Error(`there are more than ${MOST} of what is numbered`);
    this.#numbers.set(text, number);
    return number;
  }

  get(number: number): Thing | undefined {
    return this.#things[number];
  }
}
