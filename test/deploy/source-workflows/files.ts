import { defineWorkflow, s3Lines } from "../../../shared/index.ts";

/** The lines of objects in S3, in partitions that several producers read. */
export default defineWorkflow({
  name: "files",
  source: s3Lines<{ readonly id: number }>({
    bucket: ({ EXPORTS_BUCKET = "" }) => EXPORTS_BUCKET,
    prefix: "in/",
    format: "jsonl",
  }),
  task: ({ id }) => id,
  concurrency: 4,
  producers: 2,
  results: true,
  environment: ["EXPORTS_BUCKET"],
});
