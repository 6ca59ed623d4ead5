import { show } from "../base/options.ts";

/** How many errors, and how many characters of them, a message shows. */
const SHOWN_ERRORS = 3;
const SHOWN_CHARACTERS = 500;

/**
 * The errors that a service reports in the field `errors` of a body, as text. `undefined` if the service reports no
 * error: the field is absent, `null`, `false`, or empty. GraphQL answers 200 with this field if it could not read a
 * part of `data` (https://spec.graphql.org/October2021/#sec-Errors).
 */
export function serviceErrors(body: unknown): string | undefined {
  const errors = fieldOf(body, "errors");
  if (Array.isArray(errors)) {
    if (errors.length === 0) return undefined;
    const more = errors.length > SHOWN_ERRORS ? ` (and ${errors.length - SHOWN_ERRORS} more)` : "";
    return cut(`${errors.slice(0, SHOWN_ERRORS).map(textOf).join("; ")}${more}`);
  }
  if (typeof errors === "string") return errors.trim() === "" ? undefined : cut(show(errors));
  if (typeof errors !== "object" || errors === null || Object.keys(errors).length === 0) return undefined;
  return cut(textOf(errors));
}

/** The message that a service puts into a body in place of items. Services use different fields for it. */
export function serviceMessage(body: unknown): string | undefined {
  for (const key of ["error", "error_description", "message", "detail", "title", "fault"]) {
    const value = fieldOf(body, key);
    if (typeof value === "string" && value.trim() !== "") return cut(show(value));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return cut(textOf(value));
  }
  return undefined;
}

/**
 * The text of one error: the message, and, if the error has them, the code and the path to the affected part of the
 * response.
 */
function textOf(error: unknown): string {
  const message = ["message", "title", "detail", "description"].map((key) => fieldOf(error, key)).find(isText);
  if (message === undefined) return show(error);
  const code = [fieldOf(fieldOf(error, "extensions"), "code"), fieldOf(error, "code"), fieldOf(error, "type")].find(
    isText,
  );
  const path = fieldOf(error, "path");
  return (
    show(message) +
    (code === undefined ? "" : ` (${code})`) +
    (Array.isArray(path) && path.length > 0 ? ` at ${path.join(" > ")}` : "")
  );
}

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…`.toWellFormed() : text;
}
