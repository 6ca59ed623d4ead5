import { createHash } from "node:crypto";
import { defineWorkflow, secret } from "../../../shared/index.ts";

const apiKey = secret("API_KEY");
const signingKey = secret("SIGNING_KEY");

const digest = (value: string) => createHash("sha256").update(value).digest("hex");

/** The source reads one secret, and the task two: the results have their digests. */
export default defineWorkflow({
  name: "secrets",
  source: { readPage: async () => ({ items: [digest(await apiKey.value())] }) },
  task: async (source, { signal }) => {
    const task = await Promise.all([apiKey, signingKey].map(async (each) => digest(await each.value({ signal }))));
    return { source, task };
  },
  secrets: { API_KEY: "shop/api-key", SIGNING_KEY: "ssm:/shop/signing-key" },
  concurrency: 2,
  timeout: { seconds: 20 },
  results: true,
});
