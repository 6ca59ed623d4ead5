import { ConfigurationError, SourceError } from "../base/errors.ts";
import type { ExactJson } from "../base/exact-json.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { checkPath, keysOf } from "./body-path.ts";
import type { JsonObject, PageRequest } from "./pagination.ts";

/**
 * Where a request takes a value: a parameter of the query (`"page"`), or a field of the JSON body
 * (`{ body: "variables.after" }`), which makes the request a POST.
 */
export type Parameter = string | BodyParameter;

interface BodyParameter {
  readonly body: string | readonly string[];
}

/** The request with the value in its place. Everything else of it stays as it is, byte for byte. */
export function withParameter(request: PageRequest, parameter: Parameter, value: ExactJson): PageRequest {
  if (typeof parameter !== "string") return { ...request, body: withField(request.body, parameter, value) };
  if (typeof value === "object") {
    throw new SourceError(
      `the query parameter ${parameter} cannot take ${show(value)}: if the API wants it in the body, ` +
        `write { body: ${JSON.stringify(parameter)} } as the parameter`,
    );
  }
  return { ...request, url: withQuery(request.url, parameter, String(value)) };
}

/** @throws {ConfigurationError} The body has no place for the parameter. */
export function checkPlace(body: JsonObject | undefined, parameter: Parameter): void {
  if (typeof parameter !== "string") withField(body, parameter, null);
}

/** @throws {ConfigurationError} It is no parameter. */
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
    `${option} must be a parameter's name, but is ${show(parameter)}: give one, such as "page", or ` +
      '{ body: "page" } if it stands in the request\'s body',
  );
}

/**
 * The URL with the parameter in its query: in the place of the one of this name, or at the end. The query is edited as
 * text, because `URLSearchParams` would write all of it anew (`$` as `%24`, `%20` as `+`).
 */
function withQuery(url: URL, name: string, value: string): URL {
  if (!value.isWellFormed()) {
    throw new SourceError(`the query parameter ${name} cannot take ${show(value)}: it has half of a surrogate pair`);
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
    // OData's own names begin with a dollar sign, which a query may hold as it is.
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
      `the parameter cannot stand at ${keys.join(" > ")} in the body: ${keys.slice(0, depth).join(" > ")} is ` +
        `${show(inner)}, and would be lost. Give an object there, or another place`,
    );
  };
  return set(body ?? {}, 0) as JsonObject;
}
