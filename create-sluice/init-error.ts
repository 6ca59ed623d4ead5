/** An error that the user can fix: its message says how. */
export class InitError extends Error {
  override readonly name = "InitError";
}
