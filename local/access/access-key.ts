import { randomBytes } from "node:crypto";

/** 192 bits cannot be guessed. */
const BYTES = 24;

/**
 * Makes the secret of an engine. Each request to its servers must carry it as the access key id, so it has only characters
 * that an access key id may have, and AWS's length of 16 to 128.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html
 */
export const newAccessKeyId = (): string => randomBytes(BYTES).toString("hex");
