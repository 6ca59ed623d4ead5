/** How long a request to SQS or DynamoDB takes, there and back. */
export const REQUEST_MILLISECONDS = 6;
