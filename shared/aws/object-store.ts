import { SluiceError } from "../base/errors.ts";

/** An object in a listing. */
export interface StoredObject {
  readonly key: string;
  /** The size in bytes. */
  readonly size: number;
}

/**
 * Objects by key: an S3 bucket below a prefix, or files below a directory. A key is relative to the store's URL. It has
 * segments of `A-Z a-z 0-9 - _ . %`, separated by `/`; no segment is empty or begins with `.`.
 *
 * Every method is bounded in time, and retries as its implementation does. A write that failed can have taken effect. So
 * a caller that writes an object again uses the same key and the same content, or a new key.
 *
 * Reads and listings see all writes that were answered before them.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
 *
 * @throws {ObjectStoreError} from every method: the store refused a request or did not answer.
 */
export interface ObjectStore {
  /** Where the objects are, such as `s3://bucket/prefix` or `file:///home/me/.sluice/cities/results`. No `/` at its end. */
  readonly url: string;
  /** Writes an object, in place of an object that has the key. Nobody ever reads a part of it. */
  put(key: string, body: Uint8Array): Promise<void>;
  /**
   * Writes an object if none has the key.
   *
   * @returns false if there is one. It can be the one of this call: a response was lost, and the request was repeated. A
   *   caller that must know reads the object and compares.
   */
  putIfAbsent(key: string, body: Uint8Array): Promise<boolean>;
  /**
   * Writes an object of any size in bounded memory. The object appears when all chunks are written. If `chunks` throws,
   * no object appears, and the promise rejects with the same error.
   */
  putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Reads an object. Returns `undefined` if there is none. */
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * Reads bytes of an object, from `start` up to but not including `end`. Returns `undefined` if there is no such object.
   * The result is shorter if the object is.
   */
  getRange(key: string, start: number, end: number): Promise<Uint8Array | undefined>;
  /**
   * Reads an object in chunks.
   *
   * @throws {ObjectMissingError} There is no such object. The first chunk throws.
   */
  stream(key: string): AsyncIterable<Uint8Array>;
  /**
   * Lists the objects whose keys begin with a text, in the order of the keys' bytes, some at a time.
   *
   * @param prefix Need not end with `/`.
   */
  list(prefix: string): AsyncIterable<readonly StoredObject[]>;
  /** Deletes objects. An object that does not exist counts as deleted. */
  delete(keys: readonly string[]): Promise<void>;
}

/** A store of objects refused a request, or did not answer. The code is `OBJECT_STORE`. */
export class ObjectStoreError extends SluiceError {
  override readonly name: string = "ObjectStoreError";

  /** @param action What was tried, such as `write s3://bucket/key`. */
  constructor(action: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super("OBJECT_STORE", `could not ${action}: ${reason}`, { cause });
  }
}

/** An object that was expected does not exist. The code is `OBJECT_MISSING`. */
export class ObjectMissingError extends SluiceError {
  override readonly name = "ObjectMissingError";
  readonly key: string;

  constructor(url: string, key: string) {
    super("OBJECT_MISSING", `there is no object ${url}/${key}`);
    this.key = key;
  }
}

/** The errors that a store throws. */
export interface StoreErrors {
  readonly ObjectStoreError: typeof ObjectStoreError;
  readonly ObjectMissingError: typeof ObjectMissingError;
}
