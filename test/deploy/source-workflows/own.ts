import { defineWorkflow } from "../../../shared/index.ts";

const PARTITIONS = 5;
const ITEMS_OF_PARTITION = 100;
const ITEMS_OF_PAGE = 40;

/** The numbers from 0 to 499, from a source of the user's own, in partitions that several producers read. */
export default defineWorkflow({
  name: "own",
  source: {
    partitions: () =>
      Array.from({ length: PARTITIONS }, (_, part) => ({ id: `part ${part}`, cursor: part * ITEMS_OF_PARTITION })),
    readPage: (cursor) => {
      const from = Number(cursor ?? 0);
      const end = (Math.floor(from / ITEMS_OF_PARTITION) + 1) * ITEMS_OF_PARTITION;
      const to = Math.min(from + ITEMS_OF_PAGE, end);
      const items = Array.from({ length: to - from }, (_, index) => from + index);
      return { items, next: to < end ? to : undefined };
    },
  },
  task: (number) => number,
  concurrency: 4,
  producers: 2,
  results: true,
});
