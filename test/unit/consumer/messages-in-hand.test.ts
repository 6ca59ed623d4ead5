import { expect, test } from "vitest";
import type { ReceivedMessage } from "../../../shared/aws/received-message.ts";
import { type MessageState, MessagesInHand } from "../../../shared/consumer/messages-in-hand.ts";

const message = { id: "m" } as ReceivedMessage;
const delivery = { origin: "batch", beginsBy: undefined, heldUntil: undefined } as const;

const STATES: readonly MessageState[] = ["looking up", "waiting", "attempting", "recording"];
const countsOf = (messages: MessagesInHand) => STATES.map((state) => messages.in(state));

test("A message is in exactly one state, from its look-up to its end", () => {
  const messages = new MessagesInHand();
  const inHand = messages.add(message, delivery);
  expect(countsOf(messages)).toEqual([1, 0, 0, 0]);
  inHand.enter("waiting");
  expect(countsOf(messages)).toEqual([0, 1, 0, 0]);
  inHand.enter("attempting");
  expect(countsOf(messages)).toEqual([0, 0, 1, 0]);
  inHand.enter("recording");
  expect(countsOf(messages)).toEqual([0, 0, 0, 1]);
  expect(messages.isEmpty).toBe(false);
  inHand.end();
  inHand.end();
  expect(countsOf(messages)).toEqual([0, 0, 0, 0]);
  expect(messages.isEmpty).toBe(true);
});

test.each<[readonly MessageState[], readonly MessageState[]]>([
  [[], ["waiting", "recording"]],
  [["waiting"], ["attempting", "recording"]],
  [["waiting", "attempting"], ["recording"]],
  [["recording"], []],
])("After the states %j, only the states %j may follow", (path, allowed) => {
  for (const next of STATES) {
    const inHand = new MessagesInHand().add(message, delivery);
    for (const state of path) inHand.enter(state);
    const enter = () => inHand.enter(next);
    if (allowed.includes(next)) expect(enter).not.toThrow();
    else expect(enter).toThrow(`cannot enter the state "${next}"`);
  }
});

test("There is work while an attempt runs, or while a message of a run that works waits for a slot", () => {
  const messages = new MessagesInHand();
  const inHand = messages.add(message, delivery);
  expect(messages.hasWork).toBe(false);
  inHand.mode = "pause";
  inHand.enter("waiting");
  expect(messages.hasWork).toBe(false);
  inHand.mode = "work";
  expect(messages.hasWork).toBe(true);
  inHand.mode = "pause";
  inHand.enter("attempting");
  expect(messages.hasWork).toBe(true);
  inHand.mode = "work";
  inHand.enter("recording");
  expect(messages.hasWork).toBe(false);
});
