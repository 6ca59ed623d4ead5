import { SourceError } from "../base/errors.ts";
import { keysSeen, nameOf, type Path, valueAt } from "./body-path.ts";
import { type HttpPage, locate } from "./pagination.ts";
import { serviceErrors, serviceMessage } from "./service-errors.ts";

/** Where the items of a page are, and which unusual responses count as complete pages. */
export interface PageItemsOptions {
  /** The place of the list of items in the body. Default: the body itself is the list. */
  readonly items?: Path | undefined;
  /** Whether Sluice accepts a page whose body reports errors. */
  readonly allowErrors: boolean;
  /** Whether `null` in place of the list is an empty list. */
  readonly allowNullItems: boolean;
}

/**
 * Returns the items of a page. A response without a body (204) has no items.
 *
 * @throws {SourceError} The body has no list at the place of the items, or it reports errors that are not allowed.
 */
export function itemsOf(
  page: Pick<HttpPage, "body" | "url">,
  { items: path, allowErrors, allowNullItems }: PageItemsOptions,
  warn: (message: string) => void,
): readonly unknown[] {
  const { body } = page;
  if (body === undefined) return [];
  const errors = serviceErrors(body) ?? batchErrors(body, path);
  if (errors !== undefined && !allowErrors) {
    throw new SourceError(
      `${locate(page)} answered with errors: ${errors}. Because of the errors, items may be missing from the page. Correct ` +
        "the request, or set allowErrors: true if such pages are complete",
    );
  }
  if (errors !== undefined) warn(`${locate(page)} answered with errors, which allowErrors accepts: ${errors}`);
  const found = path === undefined ? body : valueAt(body, path);
  if (Array.isArray(found)) {
    // Some services answer 200 with the items that they could read, and say in this field why they could not read the
    // others.
    const error = serviceMessage({ error: valueAt(body, "error") });
    if (error !== undefined)
      warn(`${locate(page)} answered with an error beside its items, so items may be missing: ${error}`);
    return found;
  }
  if (found !== null || path === undefined) throw notList(page, path);
  if (allowNullItems) return [];
  throw new SourceError(
    `${nameOf(path)} of ${locate(page)} is null, not a list of items${messageOf(body)}. Set allowNullItems: true if the API ` +
      "uses null for an empty list",
  );
}

/**
 * Returns the errors of a response to a batch request. The body of such a response is a list with one response for each
 * request. The errors are those of the first response in the list that has errors.
 */
function batchErrors(body: unknown, path: Path | undefined): string | undefined {
  if (!Array.isArray(body) || path === undefined || typeof path === "function") return undefined;
  return body.map(serviceErrors).find((errors) => errors !== undefined);
}

function notList(page: Pick<HttpPage, "body" | "url">, path: Path | undefined): SourceError {
  const { body } = page;
  const where = path === undefined ? "the body" : nameOf(path);
  return new SourceError(
    `${where} of ${locate(page)} is not a list of items: ` +
      `${path === undefined ? "" : "the body: "}${keysSeen(body)}${messageOf(body)}${suggestion(body)}`,
  );
}

function messageOf(body: unknown): string {
  const message = serviceMessage(body);
  return message === undefined ? "" : `; the response says ${message}`;
}

function suggestion(body: unknown): string {
  const entries = typeof body === "object" && body !== null ? Object.entries(body) : [];
  const [list = "data"] = entries.find(([, value]) => Array.isArray(value)) ?? [];
  return `; set the option items to the place of the list, such as items: ${JSON.stringify(list)}`;
}
