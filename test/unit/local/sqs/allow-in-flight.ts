import { limits } from "../../../../local/sqs/sqs-limits.ts";

/**
 * Makes SQS allow fewer messages in flight.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
 */
export function allowInFlight(count: number): Disposable {
  const changeable = limits as { inFlight: number };
  const { inFlight } = limits;
  changeable.inFlight = count;
  return {
    [Symbol.dispose]: () => {
      changeable.inFlight = inFlight;
    },
  };
}
