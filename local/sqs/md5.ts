import { createHash, hash } from "node:crypto";
import type { MessageAttributes } from "./message-attributes.ts";

/** The MD5 digest of the body of a message, in hex. SDKs refuse an answer whose digest does not match. */
export function md5OfBody(body: string): string {
  return hash("md5", body);
}

const stringTransport = Buffer.of(1);
const binaryTransport = Buffer.of(2);

/**
 * The MD5 digest of message attributes. The developer guide describes it in "Calculating the MD5 message digest for
 * message attributes": the attributes are sorted by name, and each part follows its length.
 */
export function md5OfAttributes(attributes: MessageAttributes): string {
  const digest = createHash("md5");
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    digest.update(length).update(bytes);
  };
  for (const [name, attribute] of Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))) {
    part(Buffer.from(name));
    part(Buffer.from(attribute.dataType));
    if ("stringValue" in attribute) {
      digest.update(stringTransport);
      part(Buffer.from(attribute.stringValue));
    } else {
      digest.update(binaryTransport);
      part(Buffer.from(attribute.binaryValue, "base64"));
    }
  }
  return digest.digest("hex");
}
