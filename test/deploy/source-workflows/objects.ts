import { defineWorkflow, s3Objects } from "../../../shared/index.ts";

/** The objects of a bucket, in ranges of keys that several producers list. */
export default defineWorkflow({
  name: "objects",
  source: s3Objects({ bucket: ({ EXPORTS_BUCKET = "" }) => EXPORTS_BUCKET, prefix: "keys/", partitions: 8 }),
  task: ({ key }) => Number(key.slice("keys/".length)),
  concurrency: 4,
  producers: 2,
  results: true,
  environment: ["EXPORTS_BUCKET"],
});
