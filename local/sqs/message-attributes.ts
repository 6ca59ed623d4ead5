import { SqsError } from "./sqs-error.ts";
import { hasRefusedCharacter, limits } from "./sqs-limits.ts";

/** A message attribute: `DataType` is `String`, `Number` or `Binary`, with an optional label (`Number.int`). */
export type MessageAttribute =
  | { readonly dataType: string; readonly stringValue: string }
  /** `binaryValue` is base64. */
  | { readonly dataType: string; readonly binaryValue: string };

/** Message attributes by name. */
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const dataTypes = /^(String|Number|Binary)(\..+)?$/;
// The page allows A to Z, a to z and digits. AWS also accepts letters of other scripts: LocalStack's tests record it.
const attributeName = /^(?!(?:aws|amazon)\.)(?!\.)(?!.*\.\.)(?!.*\.$)[\p{L}\p{N}_.-]+$/iu;

/**
 * Checks names, types and values against "Amazon SQS message metadata" in the developer guide.
 *
 * @throws SqsError `InvalidParameterValue`.
 */
export function checkMessageAttributes(attributes: MessageAttributes): void {
  const names = Object.keys(attributes);
  if (names.length > limits.messageAttributes) {
    throw new SqsError(
      "InvalidParameterValue",
      `Number of message attributes [${names.length}] exceeds the allowed maximum [${limits.messageAttributes}].`,
    );
  }
  for (const [name, attribute] of Object.entries(attributes)) checkAttribute(name, attribute);
}

function checkAttribute(name: string, attribute: MessageAttribute): void {
  if (name.length > limits.attributeNameLength || !attributeName.test(name)) {
    throw refusal(
      name,
      "has an invalid name: up to 256 letters, digits, hyphens, underscores and single inner periods",
    );
  }
  const kind = dataTypes.exec(attribute.dataType)?.[1];
  if (kind === undefined || attribute.dataType.length > limits.attributeNameLength) {
    throw refusal(
      name,
      "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String",
    );
  }
  const value = "stringValue" in attribute ? attribute.stringValue : attribute.binaryValue;
  if ((kind === "Binary") !== "binaryValue" in attribute) throw refusal(name, `must hold a ${kind} value`);
  if (value === "") {
    throw new SqsError(
      "InvalidParameterValue",
      `Message (user) attribute '${name}' must contain a non-empty value of type '${kind}'.`,
    );
  }
  if ("stringValue" in attribute && hasRefusedCharacter(value)) {
    throw refusal(name, "contains characters outside the allowed set");
  }
  if (kind === "Number" && !Number.isFinite(Number(value))) throw refusal(name, "must hold a number");
}

function refusal(name: string, what: string): SqsError {
  return new SqsError("InvalidParameterValue", `The message attribute '${name}' ${what}.`);
}

/** The size of attributes in bytes: their names, data types and values. */
export function attributeBytes(attributes: MessageAttributes): number {
  let bytes = 0;
  for (const [name, attribute] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(attribute.dataType);
    bytes +=
      "stringValue" in attribute
        ? Buffer.byteLength(attribute.stringValue)
        : Buffer.byteLength(attribute.binaryValue, "base64");
  }
  return bytes;
}
