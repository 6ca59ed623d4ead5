/**
 * The parts of the AWS SDK that `S3Reader` uses. They are a module of their own, so that the bundle of a workflow that
 * reads from S3 contains these parts and no others.
 */
export { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
