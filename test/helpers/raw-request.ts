import { request } from "node:http";
import { text } from "node:stream/consumers";

/** The answer of a server. */
export interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Sends a request with exactly the given headers, including `Host`. */
export async function rawRequest(
  endpoint: string,
  {
    method = "POST",
    path = "/",
    headers = {},
    body = "",
  }: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  },
): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const sent = request(new URL(path, endpoint), { method, headers }, (answer) => {
    text(answer).then((body) => resolve({ status: answer.statusCode, headers: answer.headers, body }), reject);
  });
  sent.on("error", reject);
  sent.end(body);
  return await promise;
}
