import { SluiceError } from "../../shared/base/errors.ts";

/** How an error is sent. Defaults: status 400, the query code and the type are the error's own name. */
interface Wire {
  readonly status?: number;
  /** The code of the older query protocol. The SDKs show it as the error's code. */
  readonly query?: string;
  /** The type in the body of the answer. */
  readonly type?: string;
}

const specifics: Readonly<Record<string, Wire>> = {
  InvalidParameterValue: { type: "com.amazon.coral.service#InvalidParameterValueException" },
  MissingParameter: { type: "com.amazon.coral.service#MissingRequiredParameterException" },
  QueueDeletedRecently: { query: "AWS.SimpleQueueService.QueueDeletedRecently" },
  QueueDoesNotExist: { query: "AWS.SimpleQueueService.NonExistentQueue" },
  QueueNameExists: { query: "QueueAlreadyExists" },
  BatchEntryIdsNotDistinct: { query: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct" },
  BatchRequestTooLong: { query: "AWS.SimpleQueueService.BatchRequestTooLong" },
  EmptyBatchRequest: { query: "AWS.SimpleQueueService.EmptyBatchRequest" },
  InvalidBatchEntryId: { query: "AWS.SimpleQueueService.InvalidBatchEntryId" },
  TooManyEntriesInBatchRequest: { query: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest" },
  MessageNotInflight: { query: "AWS.SimpleQueueService.MessageNotInflight" },
  PurgeQueueInProgress: { query: "AWS.SimpleQueueService.PurgeQueueInProgress", status: 403 },
  UnsupportedOperation: { query: "AWS.SimpleQueueService.UnsupportedOperation" },
  OverLimit: { status: 403 },
  RequestThrottled: { status: 403 },
  ReceiptHandleIsInvalid: { status: 404 },
  ResourceNotFoundException: { status: 404 },
  UnknownOperationException: { status: 404 },
  InternalFailure: { status: 500 },
};

/** The error codes of this server, from the SQS API reference and its page "Common Error Types". */
export type SqsErrorCode =
  | "BatchEntryIdsNotDistinct"
  | "BatchRequestTooLong"
  | "EmptyBatchRequest"
  | "InternalFailure"
  | "InvalidAttributeName"
  | "InvalidAttributeValue"
  | "InvalidBatchEntryId"
  | "InvalidMessageContents"
  | "InvalidParameterValue"
  | "MessageNotInflight"
  | "MissingParameter"
  | "OverLimit"
  | "PurgeQueueInProgress"
  | "QueueDeletedRecently"
  | "QueueDoesNotExist"
  | "QueueNameExists"
  | "ReceiptHandleIsInvalid"
  | "RequestThrottled"
  | "ResourceNotFoundException"
  | "SerializationException"
  | "TooManyEntriesInBatchRequest"
  | "UnknownOperationException"
  | "UnsupportedOperation";

/** A request that SQS refuses. `code` is AWS's error code, such as `QueueDoesNotExist`. */
export class SqsError extends SluiceError {
  override readonly name = "SqsError";
  /** The HTTP status of the answer. */
  readonly status: number;
  /** The code of the older query protocol, sent in the `x-amzn-query-error` header. */
  readonly queryCode: string;
  /** The type of the error in the body of the answer, such as `com.amazonaws.sqs#QueueDoesNotExist`. */
  readonly type: string;

  constructor(code: SqsErrorCode, message: string) {
    super(code, message);
    this.status = specifics[code]?.status ?? 400;
    this.queryCode = specifics[code]?.query ?? code;
    this.type = specifics[code]?.type ?? `com.amazonaws.sqs#${code}`;
  }

  /** Whether the caller is at fault, rather than the service. */
  get senderFault(): boolean {
    return this.status < 500;
  }
}

/** The refusal of one parameter, worded as SQS words it. */
export function invalidParameter(name: string, value: unknown, reason: string): SqsError {
  return new SqsError("InvalidParameterValue", `Value ${value} for parameter ${name} is invalid. Reason: ${reason}`);
}

/** The refusal of a request that lacks a parameter. */
export function missingParameter(name: string): SqsError {
  return new SqsError("MissingParameter", `The request must contain the parameter ${name}.`);
}

/** The outcome of one entry of a batch. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: SqsError };

/** Runs `work`. Returns an `SqsError` as a value, and rethrows any other error. */
export function outcomeOf<T>(work: () => T): Outcome<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (error instanceof SqsError) return { ok: false, error };
    throw error;
  }
}
