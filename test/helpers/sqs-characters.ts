// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
const ALLOWED: readonly (readonly [from: number, to: number])[] = [
  [0x9, 0xa],
  [0xd, 0xd],
  [0x20, 0xd7ff],
  [0xe000, 0xfffd],
  [0x10000, 0x10ffff],
];

/** Returns the code points of a text that SQS refuses in a message. */
export function refusedBySqs(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0).filter(
    (point) => !ALLOWED.some(([from, to]) => point >= from && point <= to),
  );
}
