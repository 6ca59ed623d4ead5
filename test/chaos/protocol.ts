import type { Rates } from "./plan.ts";

/** What the harness asks of the engine's process. */
export type Command =
  | { readonly type: "rates"; readonly service: "SQS" | "DynamoDB"; readonly rates: Rates }
  | { readonly type: "cancel" | "pause" | "resume" | "end" };

/** Where the services listen that no fault strikes. */
export interface Endpoints {
  readonly sqs: string;
  readonly dynamoDb: string;
  readonly accessKeyId: string;
  readonly table: string;
  readonly deadLetterQueueUrl: string;
  readonly controlDeadLetterQueueUrl: string;
}

/** What it tells. */
export type Report =
  | { readonly type: "up"; readonly endpoints: Endpoints }
  | { readonly type: "obeyed"; readonly command: Command["type"]; readonly paused: boolean }
  | {
      readonly type: "state";
      readonly status: string | undefined;
      readonly completedAt: string | undefined;
      /** `onComplete` has succeeded. */
      readonly handled: boolean;
      /** Messages on the queue, and on the control queue. */
      readonly messages: number;
      readonly controlMessages: number;
    };
