import { signal } from "@preact/signals";

/** What the page shows. It is in the URL's fragment, so that links, reload and the back button work. */
export type Route =
  | { readonly page: "runs" }
  | { readonly page: "run"; readonly workflow: string; readonly run: string }
  | { readonly page: "failures"; readonly workflow: string };

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
  // A screen reader and the keyboard continue at the new page.
  document.querySelector("main")?.focus();
  scrollTo(0, 0);
});

export const runLink = (workflow: string, run: string): string => `#/run/${encode(workflow)}/${encode(run)}`;
export const failuresLink = (workflow: string): string => `#/failures/${encode(workflow)}`;

const encode = encodeURIComponent;

function parse(hash: string): Route {
  const [, page, workflow, run] = hash.split("/").map(decode);
  if (page === "run" && workflow && run) return { page, workflow, run };
  if (page === "failures" && workflow) return { page, workflow };
  return { page: "runs" };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
