import type { FaultyStore } from "./faulty-store.ts";

/**
 * Does something, and returns the requests that it made to the store, each with the kind of its row: "get run", "update
 * page". A request for several rows has the kind of the first of them. A request for no rows is none.
 */
export async function requestsOf(store: FaultyStore, act: () => Promise<unknown>): Promise<readonly string[]> {
  const requests: string[] = [];
  store.before = (operation, key) => {
    if (key !== undefined) requests.push(`${operation} ${kindOf(key)}`);
  };
  try {
    await act();
  } finally {
    store.before = () => {};
  }
  return requests;
}

function kindOf({ pk, sk }: { readonly pk: string; readonly sk: string }): string {
  if (pk === "runs") return "list";
  return sk.startsWith("item") ? "attempts" : sk;
}
