import { randomBytes } from "node:crypto";

/** 192 bits cannot be guessed. */
const BYTES = 24;

/**
 * Makes the secret of an engine, which stands in each request to its servers as the access key id. It has only the
 * characters that an access key id may have, and its length is within AWS's 16 to 128.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html
 */
export const newAccessKeyId = (): string => randomBytes(BYTES).toString("hex");
