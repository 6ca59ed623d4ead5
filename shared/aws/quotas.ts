// The quotas of AWS that Sluice depends on. Each quota is written only in this file, with the AWS page that states it.

/**
 * SQS: the largest message, which is its body and its attributes together.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const LARGEST_MESSAGE_BYTES = 1_048_576;

/**
 * SQS: the most entries of one `SendMessageBatch`, `DeleteMessageBatch` or `ChangeMessageVisibilityBatch` request, and
 * the most bytes of all its messages together.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const LARGEST_BATCH = { entries: 10, bytes: LARGEST_MESSAGE_BYTES } as const;

/**
 * SQS: the most messages that one `ReceiveMessage` request returns.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
 */
export const MOST_RECEIVED_MESSAGES = 10;

/**
 * SQS: the most attributes of one message.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
 */
export const MOST_MESSAGE_ATTRIBUTES = 10;

/**
 * SQS: the longest delay before a new message becomes visible.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const LONGEST_DELAY_SECONDS = 900;

/**
 * SQS: the longest time for which one receive hides a message. The time starts at the receive, and extending the
 * visibility timeout does not start it again.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
 */
export const LONGEST_VISIBILITY_SECONDS = 43_200;

/**
 * The longest time for which Sluice hides a received message in one step. It is one hour shorter than the limit of SQS,
 * because the message was received before it waited for a slot and before its attempt ran. A longer wait takes several
 * steps.
 */
export const LONGEST_HIDING_MILLISECONDS = (LONGEST_VISIBILITY_SECONDS - 3_600) * 1_000;

/**
 * SQS: the longest time for which a queue keeps a message.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const LONGEST_RETENTION_SECONDS = 14 * 86_400;

/**
 * SQS: the largest `maxReceiveCount` of a redrive policy.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
 */
export const LARGEST_MAX_RECEIVE_COUNT = 1_000;

/**
 * SQS: the most messages of a standard queue that are in flight at once, which means received and neither deleted nor
 * visible again. The number is approximate.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
 */
export const MOST_IN_FLIGHT = 120_000;

/**
 * DynamoDB: the most keys of one `BatchGetItem` request.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
 */
export const MOST_BATCH_GET_KEYS = 100;

/**
 * Lambda: the longest timeout of a function.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const LONGEST_FUNCTION_SECONDS = 900;

/**
 * Lambda: the allowed range of a function's memory.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const FUNCTION_MEMORY_MB = { minimum: 128, maximum: 10_240 } as const;

/**
 * Lambda: the allowed range of the option `MaximumConcurrency` of an SQS event source mapping.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
export const MAPPING_CONCURRENCY = { minimum: 2, maximum: 1_000 } as const;

/**
 * Lambda: the largest batch of an SQS event source mapping without a batching window. A larger batch needs a window of
 * at least 1 s.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
export const LARGEST_BATCH_WITHOUT_WINDOW = 10;

/**
 * S3: the most objects of one `DeleteObjects` request.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
export const MOST_DELETED_OBJECTS = 1_000;

/**
 * S3: the most keys of one `ListObjectsV2` response.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export const MOST_LISTED_KEYS = 1_000;

/**
 * S3: the smallest part of a multipart upload, except for the last part.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
 */
export const SMALLEST_UPLOADED_PART_BYTES = 5 * 1_024 * 1_024;
