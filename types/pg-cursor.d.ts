/** The part of `pg-cursor` that the benchmark uses. */
declare module "pg-cursor" {
  export default class Cursor {
    constructor(text: string);
    /** Up to this many rows, and none at the end. */
    read(rows: number): Promise<readonly Readonly<Record<string, unknown>>[]>;
    close(): Promise<void>;
  }
}
