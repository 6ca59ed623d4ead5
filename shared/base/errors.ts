export { toError } from "./thrown.ts";

/** The options of `SluiceError` and its subclasses. */
export interface SluiceErrorOptions {
  /** The error that caused this one. */
  readonly cause?: unknown;
  /** Where the error happened: the ids of the run, the page, the item, the queue and so on. */
  readonly ids?: Readonly<Record<string, string | number>>;
}

const brand: unique symbol = Symbol.for("sluice.error");

/** Whether a value is an error of Sluice, of this copy of the library or of another one, such as that in a bundle. */
export const isSluiceError = (value: unknown): value is SluiceError => value instanceof Error && brand in value;

/**
 * The base class of all errors of Sluice.
 *
 * @example
 * ```ts
 * if (error instanceof SluiceError && error.code === "UNKNOWN_RUN") ...
 * ```
 */
export class SluiceError extends Error {
  override readonly name: string = "SluiceError";
  /** Identifies the kind of error, for example `CONFIGURATION`. It does not change between versions. */
  readonly code: string;
  /** Where the error happened. */
  readonly ids: Readonly<Record<string, string | number>>;

  constructor(code: string, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.ids = options.ids ?? {};
  }
}
Object.defineProperty(SluiceError.prototype, brand, { value: true });

/**
 * A workflow, a source or an option is invalid. Nothing was started. The code is `CONFIGURATION`.
 *
 * The message states the option, the allowed range, the received value and how to fix it.
 */
export class ConfigurationError extends SluiceError {
  override readonly name = "ConfigurationError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("CONFIGURATION", message, options);
  }
}

/** The options of `SourceError`. */
export interface SourceErrorOptions extends SluiceErrorOptions {
  /**
   * Whether every later attempt to read the source would fail too. If `true`, the run fails at once. Default `false`.
   */
  readonly permanent?: boolean;
}

/**
 * The source could not be read. The code is `SOURCE`. The producer reads again from the same cursor after a backoff. A
 * permanent error fails the run at once. When the cause is fixed, `sluice resume` continues the run from the cursor.
 *
 * @example
 * ```ts
 * throw new SourceError("the export has an unknown version", { permanent: true });
 * ```
 */
export class SourceError extends SluiceError {
  override readonly name = "SourceError";
  /** Whether the run fails at once. */
  readonly permanent: boolean;

  constructor(message: string, options: SourceErrorOptions = {}) {
    super("SOURCE", message, options);
    this.permanent = options.permanent ?? false;
  }
}

/**
 * An item cannot be sent as a message: the item is not JSON, or it is too large for SQS. The item becomes a dead letter
 * with the reason `invalid item` or `too large`.
 */
export class ItemError extends SluiceError {
  override readonly name = "ItemError";

  constructor(code: "INVALID_ITEM" | "TOO_LARGE", message: string, options?: SluiceErrorOptions) {
    super(code, message, options);
  }
}

/** The body of a message is not an envelope of Sluice. */
export class MalformedMessageError extends SluiceError {
  override readonly name = "MalformedMessageError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("MALFORMED_MESSAGE", message, options);
  }
}
