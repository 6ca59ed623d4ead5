import { SourceError } from "../base/errors.ts";
import { keysSeen, nameOf, type Path, valueAt } from "./body-path.ts";
import { type HttpPage, locate } from "./pagination.ts";
import { serviceErrors, serviceMessage } from "./service-errors.ts";

export interface PageItemsOptions {
  /** Where the list of items stands in the body. Default: the body is the list. */
  readonly items?: Path | undefined;
  readonly allowErrors: boolean;
  readonly allowNullItems: boolean;
}

/**
 * The items of a page. An answer without a body (204) has none.
 *
 * @throws {SourceError} The body has no list where it should be, or it has errors that are not accepted.
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
      `${locate(page)} answered errors: ${errors}. Because of them the page may lack items: correct the request, or ` +
        "set allowErrors: true if such pages are complete",
    );
  }
  if (errors !== undefined) warn(`${locate(page)} answered errors, which allowErrors accepts: ${errors}`);
  const found = path === undefined ? body : valueAt(body, path);
  if (Array.isArray(found)) {
    // Some services answer 200 with what they could read, and say in this field what they could not.
    const error = serviceMessage({ error: valueAt(body, "error") });
    if (error !== undefined) warn(`${locate(page)} answered an error beside its items, which may not be all: ${error}`);
    return found;
  }
  if (found !== null || path === undefined) throw notList(page, path);
  if (allowNullItems) return [];
  throw new SourceError(
    `${nameOf(path)} of ${locate(page)} is null, not a list of items${said(body)}. Set allowNullItems: true if the API ` +
      "answers null for an empty list",
  );
}

/** The errors in the answers of a batch of requests, which is a list. */
function batchErrors(body: unknown, path: Path | undefined): string | undefined {
  if (!Array.isArray(body) || path === undefined || typeof path === "function") return undefined;
  return body.map(serviceErrors).find((errors) => errors !== undefined);
}

function notList(page: Pick<HttpPage, "body" | "url">, path: Path | undefined): SourceError {
  const { body } = page;
  const where = path === undefined ? "the body" : nameOf(path);
  return new SourceError(
    `${where} of ${locate(page)} is not a list of items: ` +
      `${path === undefined ? "" : "the body: "}${keysSeen(body)}${said(body)}${suggestion(body)}`,
  );
}

function said(body: unknown): string {
  const message = serviceMessage(body);
  return message === undefined ? "" : `; it says ${message}`;
}

function suggestion(body: unknown): string {
  const entries = typeof body === "object" && body !== null ? Object.entries(body) : [];
  const [list = "data"] = entries.find(([, value]) => Array.isArray(value)) ?? [];
  return `; say where the items stand, such as items: ${JSON.stringify(list)}`;
}
