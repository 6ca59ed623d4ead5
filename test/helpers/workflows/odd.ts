import { defineWorkflow } from "../../../shared/index.ts";

/** Every item succeeds, and the source warns of something. */
export default defineWorkflow({
  name: "odd",
  source: {
    readPage(_, { warn }) {
      warn("the table has no key");
      return { items: [1, 2, 3] };
    },
  },
  task() {},
  concurrency: 2,
});
