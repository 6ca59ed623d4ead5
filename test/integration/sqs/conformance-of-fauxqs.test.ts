import { buildApp } from "fauxqs";
import { conformance } from "./conformance.ts";

conformance(
  "fauxqs",
  async () => {
    const app = buildApp({ logger: false });
    const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
    return { endpoint, stop: () => app.close() };
  },
  {
    unsteady: {
      "A connection that breaks during a long poll swallows no message":
        "if it has not noticed the break yet, it gives the message to the poll that is gone",
    },
    differences: {
      "CreateQueue refuses a name that breaks the rules": "takes any name",
      "CreateQueue wants .fifo at the end of a FIFO queue's name, and of no other's":
        "takes .fifo at a standard queue's end",
      "GetQueueAttributes gives only what is asked for, and knows its names": "ignores unknown names",
      "An unknown action is refused with UnknownOperationException": "says InvalidAction",
      "Counts are right without another receive": "an expired visibility timeout shows at the next receive only",
      "Characters outside the basic plane are allowed": "refuses emoji",
      "At most ten message attributes are allowed": "has no limit",
      "A message attribute needs a known type and a value": "does not check them",
      "AWSTraceHeader travels with the message": "drops it",
      "DelaySeconds is 0 to 900": "has no limit",
      "A batch's ids are distinct and well formed": "has no limit of an id's length",
      "A bad entry fails alone, with its code": "does not check the delay",
      "DeleteMessageBatch deletes, and a bad handle fails alone": "takes any handle",
      "DeleteMessage deletes, twice is no error, and nonsense is refused": "takes any handle",
      "An expired handle deletes nothing on a FIFO queue": "deletes",
      "Each message goes to one of the waiting polls": "a message wakes every poll; those without one end empty",
      "A long poll that the client gives up swallows no message": "gives the message to the poll that is gone",
      "PurgeQueue deletes all messages, once a minute": "may purge at any time",
      "A dead letter names its source, and counts its receives in all queues": "has no DeadLetterQueueSourceArn",
      "ListDeadLetterSourceQueues lists the sources": "lacks the action",
      "A redrive policy needs an existing target of the same type": "does not check it",
      "maxReceiveCount is 1 to 1,000": "does not check it",
      "The name of a deleted queue is free after 60 seconds": "may be used again at once",
      "CreateQueue refuses FifoQueue for a standard queue, also with the value false": "takes it",
      "CreateQueue keeps the tags of a new queue, and TagQueue and UntagQueue change them": "lacks the actions",
      "Empty lists are absent from an answer": "gives them",
      "A receive gives only the message attributes that it asks for": "takes a prefix only with a period",
      "The header X-Amzn-Trace-Id of a request becomes AWSTraceHeader": "ignores the header",
      "ChangeMessageVisibility of a standard queue hides a message through a handle that has expired": "refuses it",
      "ChangeMessageVisibility of a standard queue exposes a message that another receiver holds": "refuses it",
      "CancelMessageMoveTask tells a handle that is none from the handle of an unknown task": "lacks the action",
      "A FIFO batch with an entry without a group or a deduplication id is refused whole": "takes the good entry",
      "PurgeQueue forgets deduplication ids": "keeps them",
      "StartMessageMoveTask moves dead letters back to where they came from, as new messages": "lacks the action",
      "StartMessageMoveTask moves to another queue if asked": "lacks the action",
      "A dead letter that was sent directly cannot go back without a destination": "lacks the action",
      "StartMessageMoveTask wants a source that is a dead-letter queue": "lacks the action",
      "A move task runs alone, keeps its rate and can be cancelled": "lacks the action",
      "CancelMessageMoveTask refuses a task that is over": "lacks the action",
      "A FIFO queue keeps the order of a group, also within a batch": "gives one message of a group at a time",
      "A failed message of a group comes back before its successors": "gives one message of a group at a time",
      "ContentBasedDeduplication goes by the body": "gives one message of a group at a time",
      "A standard queue takes a message group id, and no deduplication id": "drops the group id",
    },
  },
);
