import sharp from "sharp";
import { checkResponse, defineWorkflow, fileLines, PermanentError } from "sluice";
import * as z from "zod";

/** The longest side of a thumbnail, in pixels. */
const SIZE = 128;

/** Fetches each image, makes a thumbnail of it, and stores the thumbnail. */
export default defineWorkflow({
  name: "thumbnails",
  source: fileLines("data/images.csv", { format: "csv" }),
  item: z.object({ id: z.string().min(1), path: z.string() }),
  task: async ({ id, path }, { signal }) => {
    const image = await checkResponse(await fetch(`${process.env.IMAGES_URL}/${path}`, { signal })).arrayBuffer();
    const { data, info } = await sharp(image)
      .rotate() // as the camera was held
      .resize(SIZE, SIZE, { fit: "inside", withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer({ resolveWithObject: true })
      // The same bytes fail the same way each time, so another attempt would not help.
      .catch((error) => {
        throw new PermanentError(`${path} is not an image that sharp can read`, { cause: error });
      });
    const stored = await fetch(`${process.env.THUMBNAILS_URL}/${id}.webp`, {
      method: "PUT",
      headers: { "content-type": "image/webp" },
      // The type of `fetch` refuses memory that is shared, which this is not.
      body: new Uint8Array(data),
      signal,
    });
    await checkResponse(stored).text();
    return { id, width: info.width, height: info.height, bytes: info.size };
  },
  environment: ["IMAGES_URL", "THUMBNAILS_URL"],
  // sharp is native code, which a bundle cannot contain. It is installed beside the bundle, for Lambda's platform.
  bundling: { external: ["sharp"], architecture: "arm64" },
  results: { format: "csv" },
  concurrency: 8,
  // Resizing computes. Two tasks of an environment share its CPU: Lambda gives one vCPU at 1,769 MB.
  tasksPerEnvironment: 2,
  memoryMb: 1_769,
  timeout: { seconds: 30 },
});
