import type { IKey } from "aws-cdk-lib/aws-kms";
import { QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";

/**
 * The properties of every queue: it is encrypted, and accepts requests over TLS only.
 *
 * @param key The KMS key that encrypts the messages. Absent: a key that SQS manages.
 */
export const protectedQueue = (key: IKey | undefined): QueueProps => ({
  enforceSSL: true,
  ...(key === undefined
    ? { encryption: QueueEncryption.SQS_MANAGED }
    : { encryption: QueueEncryption.KMS, encryptionMasterKey: key }),
});
