import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import aws4 from "aws4";

/**
 * Signs requests like the class that it extends, in half of the time. If Node receives a key as bytes, it first tries
 * to read the bytes as a key object, which fails and takes as long as the rest of the signature. So this class passes a
 * key object.
 */
export class RequestSigner extends aws4.RequestSigner {
  /** The latest signing key of each service. A signing key is valid for one day. */
  static readonly #keys = new Map<string, { readonly of: string; readonly key: KeyObject }>();

  override signature(): string {
    return createHmac("sha256", this.#key()).update(this.stringToSign()).digest("hex");
  }

  #key(): KeyObject {
    const scope = this.credentialString();
    const { secretAccessKey = "" } = this.credentials;
    const of = `${scope} ${secretAccessKey}`;
    const known = RequestSigner.#keys.get(this.service);
    if (known?.of === of) return known.key;
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    const bytes = scope
      .split("/")
      .reduce<string | Buffer>(
        (key, part) => createHmac("sha256", key).update(part).digest(),
        `AWS4${secretAccessKey}`,
      );
    const key = createSecretKey(bytes as Buffer);
    RequestSigner.#keys.set(this.service, { of, key });
    return key;
  }
}
