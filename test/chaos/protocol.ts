import type { Rates } from "./plan.ts";

/** A command of the harness for the engine's process. */
export type Command =
  | { readonly type: "rates"; readonly service: "SQS" | "DynamoDB"; readonly rates: Rates }
  | { readonly type: "cancel" | "pause" | "resume" | "end" };

/** The endpoints of the services. The faults of SQS strike every request; those of DynamoDB none at this endpoint. */
export interface Endpoints {
  readonly sqs: string;
  readonly dynamoDb: string;
  readonly accessKeyId: string;
  readonly table: string;
  readonly deadLetterQueueUrl: string;
  readonly controlDeadLetterQueueUrl: string;
}

/** A report of the engine's process. */
export type Report =
  | { readonly type: "up"; readonly endpoints: Endpoints }
  | { readonly type: "obeyed"; readonly command: Command["type"]; readonly paused: boolean }
  | {
      readonly type: "state";
      readonly status: string | undefined;
      readonly completedAt: string | undefined;
      /** `onComplete` has succeeded. */
      readonly handled: boolean;
      /** The results are compacted. True if the run keeps none. */
      readonly hasFinalResults: boolean;
      /** The number of messages in the queue and in the control queue. */
      readonly messages: number;
      readonly controlMessages: number;
    };
