import { request } from "node:http";
import { text } from "node:stream/consumers";

/** What a server answered. */
export interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Sends a request with the very headers that are given, `Host` included. */
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
