import { checkResponse, defineWorkflow, fileLines, PermanentError } from "sluice";
import * as z from "zod";

const answerSchema = z.object({ postcode: z.string().nullable() });

/** Looks up the postcode of each address, and writes a CSV file with the results. */
export default defineWorkflow({
  name: "postcodes",
  source: fileLines("data/addresses.csv", { format: "csv" }),
  item: z.object({ id: z.coerce.number(), street: z.string(), town: z.string().min(1) }),
  task: async ({ id, street, town }, { signal }) => {
    const query = new URLSearchParams({ street, town });
    const response = await fetch(`${process.env.POSTCODES_URL}/lookup?${query}`, { signal });
    // A 429 is a wait and no failed attempt: the service says how long in Retry-After.
    const { postcode } = answerSchema.parse(JSON.parse(await checkResponse(response).text()));
    if (postcode === null) throw new PermanentError(`no postcode for ${street}, ${town}`);
    return { id, postcode };
  },
  environment: ["POSTCODES_URL"],
  results: { format: "csv" },
  concurrency: 10,
  timeout: { seconds: 5 },
  // The contract with the service: 20 requests a second, for the whole fleet.
  rateLimit: { perSecond: 20 },
});
