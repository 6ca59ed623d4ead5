import { ConfigurationError, SourceError } from "../base/errors.ts";
import type { ExactJson } from "../base/exact-json.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { checkPath, keysOf } from "./body-path.ts";
import type { JsonObject, PageRequest } from "./pagination.ts";

/**
 * The place of a value in a request: a parameter of the query, or a field of the JSON body. A request with a body is a
 * POST.
 *
 * @example `"page"`, `{ body: "variables.after" }`
 */
export type Parameter = string | BodyParameter;

/** A parameter in the JSON body of a request. */
export interface BodyParameter {
  /** The path of the field, such as `"variables.after"`. */
  readonly body: string | readonly string[];
}

/** Returns the request with the value at its place. All other parts of the request stay the same, byte for byte. */
export function withParameter(request: PageRequest, parameter: Parameter, value: ExactJson): PageRequest {
  if (typeof parameter !== "string") return { ...request, body: withField(request.body, parameter, value) };
  if (typeof value === "object") {
    throw new SourceError(
      `the query parameter ${parameter} cannot hold ${show(value)}: if the API expects the value in the body, ` +
        `write { body: ${JSON.stringify(parameter)} } as the parameter`,
    );
  }
  return { ...request, url: withQuery(request.url, parameter, String(value)) };
}

/** @throws {ConfigurationError} The body has no place for the parameter. */
export function checkPlace(body: JsonObject | undefined, parameter: Parameter): void {
  if (typeof parameter !== "string") withField(body, parameter, null);
}

/** @throws {ConfigurationError} The value is not a parameter. */
export function checkParameter(option: string, parameter: unknown): void {
  if (typeof parameter === "string" && parameter !== "") return;
  if (
    typeof parameter === "object" &&
    parameter !== null &&
    "body" in parameter &&
    typeof parameter.body !== "function"
  ) {
    rejectUnknownKeys(parameter, ["body"], option);
    checkPath(`${option}.body`, parameter.body);
    return;
  }
  throw new ConfigurationError(
    `${option} must be the name of a parameter, but is ${show(parameter)}: write a name, such as "page", or ` +
      '{ body: "page" } for a field of the request\'s body',
  );
}

/**
 * Returns the URL with the parameter in its query. The parameter replaces an existing parameter of the same name.
 * Otherwise it is added at the end. The query is edited as text, because `URLSearchParams` would encode the whole query
 * again (`$` as `%24`, `%20` as `+`).
 */
function withQuery(url: URL, name: string, value: string): URL {
  if (!value.isWellFormed()) {
    throw new SourceError(
      `the query parameter ${name} cannot hold ${show(value)}: the text contains half of a surrogate pair`,
    );
  }
  const changed = new URL(url);
  const query = url.search.slice(1);
  let isPlaced = false;
  const parts = query.split("&").flatMap((part) => {
    if (nameIn(part) !== name) return [part];
    if (isPlaced) return [];
    isPlaced = true;
    return [`${part.replace(/=.*/s, "")}=${encodeURIComponent(value)}`];
  });
  if (isPlaced) changed.search = `?${parts.join("&")}`;
  else {
    // The names of OData's parameters begin with a dollar sign, which needs no encoding in a query.
    const added = `${encodeURIComponent(name).replaceAll("%24", "$")}=${encodeURIComponent(value)}`;
    changed.search = `?${query}${query === "" || query.endsWith("&") ? "" : "&"}${added}`;
  }
  return changed;
}

/** The decoded name of a part of a query. */
const nameIn = (part: string): string | undefined => new URLSearchParams(`&${part}`).keys().next().value;

function withField(body: JsonObject | undefined, { body: path }: BodyParameter, value: ExactJson): JsonObject {
  const keys = keysOf(path);
  const set = (inner: ExactJson | undefined, depth: number): ExactJson => {
    const key = keys[depth];
    if (key === undefined) return value;
    if (inner === undefined || inner === null) return { [key]: set(undefined, depth + 1) };
    if (Array.isArray(inner) && /^\d+$/.test(key) && Number(key) < inner.length) {
      return inner.with(Number(key), set(inner[Number(key)], depth + 1));
    }
    if (typeof inner === "object" && !Array.isArray(inner)) {
      const object = inner as JsonObject;
      return { ...object, [key]: set(Object.hasOwn(object, key) ? object[key] : undefined, depth + 1) };
    }
    throw new ConfigurationError(
      `the parameter cannot be at ${keys.join(" > ")} in the body: ${keys.slice(0, depth).join(" > ")} is ` +
        `${show(inner)}, which the parameter would overwrite. Put an object there, or choose another place`,
    );
  };
  return set(body ?? {}, 0) as JsonObject;
}
