import type { ApiError } from "../../server/api.ts";

/** Reads JSON from the server. @throws {Error} The server's message. */
export async function get<Answer>(
  path: string,
  query: Readonly<Record<string, string>> = {},
  signal: AbortSignal | null = null,
): Promise<Answer> {
  return await answer<Answer>(await fetch(`${path}?${new URLSearchParams(query)}`, { signal }));
}

/** Sends JSON to the server. @throws {Error} The server's message. */
export async function post<Answer>(path: string, body: unknown = {}): Promise<Answer> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return await answer<Answer>(await fetch(path, init));
}

async function answer<Answer>(response: Response): Promise<Answer> {
  const value = (await response.json()) as Answer | ApiError;
  if (!response.ok) throw new Error((value as ApiError).error);
  return value as Answer;
}
