export { toError } from "./thrown.ts";

/** The options of `SluiceError` and its subclasses. */
export interface SluiceErrorOptions {
  /** What made this happen. */
  readonly cause?: unknown;
  /** Where it happened: run, page, item, queue, ... */
  readonly ids?: Readonly<Record<string, string | number>>;
}

/** The base of all of Sluice's errors. */
export class SluiceError extends Error {
  override readonly name: string = "SluiceError";
  readonly code: string;
  readonly ids: Readonly<Record<string, string | number>>;

  constructor(code: string, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.ids = options.ids ?? {};
  }
}

/**
 * A workflow, a source or an option is wrong. Nothing was started.
 *
 * The message names the option, the allowed range, the value received and how to fix it.
 */
export class ConfigurationError extends SluiceError {
  override readonly name = "ConfigurationError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("CONFIGURATION", message, options);
  }
}

/** The options of `SourceError`. */
export interface SourceErrorOptions extends SluiceErrorOptions {
  /** Whether reading again cannot help. Default false. */
  readonly permanent?: boolean;
}

/**
 * The source could not be read: the producer tries again with backoff, from the same cursor. A permanent error fails the
 * run at once; `resume` still goes on from the cursor, once the cause is fixed.
 */
export class SourceError extends SluiceError {
  override readonly name = "SourceError";
  readonly permanent: boolean;

  constructor(message: string, options: SourceErrorOptions = {}) {
    super("SOURCE", message, options);
    this.permanent = options.permanent ?? false;
  }
}

/** An item cannot be a message: it is not JSON, or too large for SQS. It becomes a dead letter with this reason. */
export class ItemError extends SluiceError {
  override readonly name = "ItemError";

  constructor(code: "INVALID_ITEM" | "TOO_LARGE", message: string, options?: SluiceErrorOptions) {
    super(code, message, options);
  }
}

/** A message's body is not an envelope of ours. */
export class MalformedMessageError extends SluiceError {
  override readonly name = "MalformedMessageError";

  constructor(message: string, options?: SluiceErrorOptions) {
    super("MALFORMED_MESSAGE", message, options);
  }
}
