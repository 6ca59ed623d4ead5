import { SourceError } from "../base/errors.ts";
import { isSameKey, type ListedText, tagOf, tagsOf } from "./line-partitions.ts";

/**
 * The objects that a run listed when it began. An object that was written since is none of them. One that was changed or
 * deleted since is an error.
 */
export class ListedObjects {
  readonly #tags: readonly Buffer[];
  readonly #place: string;
  /** How many of them were met. */
  #met = 0;

  /** @param after The key of the last of them that was read before. */
  constructor(tags: string, after: string | undefined, place: string) {
    this.#tags = tagsOf(tags);
    this.#place = place;
    if (after === undefined) return;
    const tag = tagOf({ key: after, etag: "" });
    this.#met = this.#tags.findIndex((each) => isSameKey(each, tag)) + 1;
  }

  /**
   * Whether an object is one of them. Call it for each object of the range, in the order of the keys.
   *
   * @throws {SourceError} The object was changed, or an object before it was deleted.
   */
  has(object: ListedText): boolean {
    const tag = tagOf(object);
    const position = this.#tags.findIndex((each, index) => index >= this.#met && isSameKey(each, tag));
    if (position === -1) return false;
    if (position > this.#met) throw this.#deleted();
    this.#met = position + 1;
    if (this.#tags[position]?.equals(tag) === true) return true;
    throw new SourceError(
      `${this.#place} has the object ${JSON.stringify(object.key)}, which changed after the run had listed it (it has another ` +
        "ETag): restore the object, or start a new run",
    );
  }

  /**
   * Call it after the last object of the range.
   *
   * @throws {SourceError} An object was deleted.
   */
  end(): void {
    if (this.#met < this.#tags.length) throw this.#deleted();
  }

  #deleted(): SourceError {
    const { length } = this.#tags;
    return new SourceError(
      `an object of ${this.#place} was deleted after the run had listed it: number ${this.#met + 1} of the ${length} objects of ` +
        "this partition. Restore the object, or start a new run",
    );
  }
}
