import { describe, expect, test, vi } from "vitest";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { LONGEST_SDK_REQUEST_MILLISECONDS } from "../../../shared/aws/timeouts.ts";
import { MessagesInHand } from "../../../shared/consumer/messages-in-hand.ts";
import { Disposal } from "../../../shared/consumer/outcomes/disposal.ts";
import { FakeSqs } from "../../helpers/fake-sqs.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

function disposalOf(deletesBatch: boolean) {
  const sqs = new FakeSqs();
  const logger = recordingLogger();
  const queue = sqs.queue("https://sqs/queue");
  const disposal = new Disposal({ queue, logger, now: () => 0, deletesBatch });
  const messages = new MessagesInHand();
  const inHand = (id: string, origin: "batch" | "receive", heldUntil?: number) => {
    const message: ReceivedMessage = { id, receiptHandle: `handle-${id}`, body: "", receiveCount: 1, attributes: {} };
    return messages.add(message, { origin, beginsBy: undefined, heldUntil });
  };
  return { sqs, queue, disposal, inHand };
}

describe("The messages that an invocation reports as failed", () => {
  // AWS Lambda guide, "Handling errors for an SQS event source": with an unknown id, the whole batch has failed.
  test("are those of its batch that are not deleted, and none that it received itself", async () => {
    const { sqs, disposal, inHand } = disposalOf(true);
    for (const origin of ["batch", "receive"] as const) {
      await disposal.dispose(inHand(`${origin} returned`, origin), { tag: "return", afterMilliseconds: 5_000 });
      await disposal.dispose(inHand(`${origin} left`, origin), { tag: "leave" });
      await disposal.dispose(inHand(`${origin} deleted`, origin), { tag: "delete" });
    }
    expect(disposal.keptIds).toEqual(["batch returned", "batch left"]);
    await disposal.flush();
    expect(sqs.deleted).toEqual(["handle-batch deleted", "handle-receive deleted"]);
    expect(sqs.visibilities).toEqual([
      { receiptHandle: "handle-batch returned", seconds: 5 },
      { receiptHandle: "handle-receive returned", seconds: 5 },
    ]);
  });
});

describe("A message of the batch", () => {
  test("is deleted by Lambda, unless the consumer does so", async () => {
    const { sqs, disposal, inHand } = disposalOf(false);
    await disposal.dispose(inHand("a", "batch"), { tag: "delete" });
    await disposal.dispose(inHand("b", "receive"), { tag: "delete" });
    await disposal.flush();
    expect(sqs.deleted).toEqual(["handle-b"]);
  });

  test("is not deleted twice if the environment ends", async () => {
    const { sqs, disposal, inHand } = disposalOf(true);
    const done = inHand("a", "batch");
    await disposal.dispose(done, { tag: "delete" });
    disposal.deleteInPlaceOfLambda([done.message]);
    await disposal.flush();
    expect(sqs.deleted).toEqual(["handle-a"]);
  });

  test("is deleted in place of Lambda if the environment ends, but for those that are kept", async () => {
    const { sqs, disposal, inHand } = disposalOf(false);
    const [done, kept] = [inHand("a", "batch"), inHand("b", "batch")];
    await disposal.dispose(done, { tag: "delete" });
    await disposal.dispose(kept, { tag: "leave" });
    disposal.deleteInPlaceOfLambda([done.message, kept.message]);
    await disposal.flush();
    expect(sqs.deleted).toEqual(["handle-a"]);
  });
});

test("A request for a delay ends with the visibility timeout if its retries may take longer", async () => {
  const signalOf = async (heldUntil: number) => {
    const { disposal, inHand, queue } = disposalOf(true);
    const changed = vi.spyOn(queue, "changeVisibility");
    await disposal.dispose(inHand("a", "batch", heldUntil), { tag: "return", afterMilliseconds: 0 });
    return changed.mock.calls[0]?.[2];
  };
  expect(await signalOf(LONGEST_SDK_REQUEST_MILLISECONDS)).toBeUndefined();
  expect(await signalOf(LONGEST_SDK_REQUEST_MILLISECONDS - 1)).toBeInstanceOf(AbortSignal);
});

test("An invocation ends only when SQS has answered its deletions", async () => {
  const { sqs, disposal, inHand } = disposalOf(true);
  const answer = Promise.withResolvers<void>();
  sqs.before = () => answer.promise;
  await disposal.dispose(inHand("a", "batch"), { tag: "delete" });
  let hasEnded = false;
  const flushed = disposal.flush().then(() => {
    hasEnded = true;
  });
  await new Promise(setImmediate);
  expect(hasEnded).toBe(false);
  answer.resolve();
  await flushed;
  expect(sqs.deleted).toEqual(["handle-a"]);
});
