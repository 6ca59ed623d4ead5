import type { StandardSchemaV1 } from "@standard-schema/spec";

/** The fields of the objects that a schema accepts. */
export interface SchemaFields {
  readonly known: readonly string[];
  /** The known fields that every object must have. */
  readonly required: readonly string[];
}

/** The part of JSON Schema that lists the fields of an object. */
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/**
 * The fields of an item that a schema knows, or `undefined` if the schema does not tell. Schemas that can be converted to
 * JSON Schema tell: those of zod and arktype, for example. https://standardschema.dev/json-schema
 */
export function schemaFields(schema: StandardSchemaV1): SchemaFields | undefined {
  const { jsonSchema } = schema["~standard"] as {
    readonly jsonSchema?: { input(options: object): ObjectSchema };
  };
  try {
    // With this option, zod describes a type that JSON Schema does not have, such as a date, as any value.
    const options = { target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } };
    const described = jsonSchema?.input(options);
    if (described?.properties === undefined) return undefined;
    return { known: Object.keys(described.properties), required: described.required ?? [] };
  } catch {
    return undefined;
  }
}

/** How the fields of items differ from those of the schema. */
export interface FieldFindings {
  /** The fields of the items, in the order in which they first occur. */
  readonly fields: readonly string[];
  /** Required fields that items lack, with the number of these items, and a field with a similar name. */
  readonly missing: readonly { readonly field: string; readonly items: number; readonly similar?: string }[];
  /** Fields of the items that the schema does not know. */
  readonly unknown: readonly string[];
  /** Fields whose names have blanks around them. */
  readonly blanks: readonly string[];
}

/**
 * Compares the fields of items with those of a schema. `undefined` if no item is an object.
 *
 * @param known The fields of the schema. `undefined`: only the blanks can be found.
 */
export function compareFields(items: readonly unknown[], known: SchemaFields | undefined): FieldFindings | undefined {
  const objects = items.filter(
    (item): item is object => typeof item === "object" && item !== null && !Array.isArray(item),
  );
  if (objects.length === 0) return undefined;
  const fields = [...new Set(objects.flatMap(Object.keys))];
  const unknown = known === undefined ? [] : fields.filter((field) => !known.known.includes(field));
  const missing = (known?.required ?? []).flatMap((field) => {
    const count = objects.filter((item) => !Object.hasOwn(item, field)).length;
    if (count === 0) return [];
    const similar = unknown.find((name) => plainName(name) === plainName(field));
    return [{ field, items: count, ...(similar !== undefined && { similar }) }];
  });
  return { fields, missing, unknown, blanks: fields.filter((field) => field !== field.trim()) };
}

/** Only the letters and digits of a name, in lower case. `E-Mail`, `e_mail` and ` email ` become `email`. */
export const plainName = (name: string): string =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
