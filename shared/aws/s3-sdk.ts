/**
 * The parts of the AWS SDK that `S3ObjectStore` uses. They are a module of their own, because only workflows with results
 * need them: the functions of other workflows neither contain nor load them.
 */
export {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
