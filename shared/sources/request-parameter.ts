import { ConfigurationError, SourceError } from "../errors.ts";
import type { Json } from "../json.ts";
import { rejectUnknownKeys, show } from "../options.ts";
import { checkPath, keysOf } from "./body-path.ts";
import type { JsonObject, PageRequest } from "./pagination.ts";

/**
 * Where a request takes a value: a parameter of the query (`"page"`), or a field of the JSON body
 * (`{ body: "variables.after" }`), which makes the request a POST.
 */
export type Parameter = string | { readonly body: string | readonly string[] };

/** The request with the value in its place. */
export function withParameter(request: PageRequest, parameter: Parameter, value: Json): PageRequest {
  if (typeof parameter !== "string") {
    return { ...request, body: setAt(request.body ?? {}, keysOf(parameter.body), value) };
  }
  if (typeof value === "object") {
    throw new SourceError(
      `the query parameter ${parameter} cannot take ${show(value)}: if the API wants it in the body, ` +
        `write { body: ${JSON.stringify(parameter)} } as the parameter`,
    );
  }
  const url = new URL(request.url);
  url.searchParams.set(parameter, String(value));
  return { ...request, url };
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

function setAt(object: JsonObject, [key = "", ...rest]: readonly string[], value: Json): JsonObject {
  if (rest.length === 0) return { ...object, [key]: value };
  const inner = object[key];
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  return { ...object, [key]: setAt(isObject ? (inner as JsonObject) : {}, rest, value) };
}
