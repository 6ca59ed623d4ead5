/**
 * Types that check whether the source, the item schema, the task and the result schema of a workflow fit together. A check
 * that fails is the type of a sentence, which the compiler quotes in its error.
 */

declare const noSchema: unique symbol;

/** The input of a schema that a workflow does not have. */
export interface NoSchema {
  readonly [noSchema]: true;
}

/** `unknown` if values of `Given` can match a schema that takes `Wanted`; otherwise a sentence that says why none does. */
export type SchemaMeets<Given, Wanted, Giver extends string> = [Faults<Given, Wanted, "schema">] extends [never]
  ? unknown
  : `The schema refuses every value: the ${Giver} ${Faults<Given, Wanted, "schema">}`;

/**
 * `unknown` if a task that takes `Taken` can work on what the source yields; otherwise a sentence. Only for a workflow
 * without an item schema.
 */
export type TaskMeets<Yielded, Taken, SchemaInput> = [SchemaInput] extends [NoSchema]
  ? Known<Yielded> extends true
    ? [Yielded] extends [Taken]
      ? unknown
      : `The task takes another type than the source yields: ${TaskFault<Yielded, Taken>}`
    : unknown
  : unknown;

type TaskFault<Yielded, Taken> = [Faults<Yielded, Taken, "task">] extends [never]
  ? "the source may yield values that the task does not take. Add an item schema, or widen the type of the item"
  : `the source ${Faults<Yielded, Taken, "task">}. Add an item schema that converts it, or change the type of the item`;

/** Whether a type says anything: `false` for `unknown` and `any`. */
type Known<Type> = unknown extends Type ? false : true;

/** Why no value of `Given` is one of `Wanted`, as a part of a sentence for each fault. `never` if some value can be one. */
type Faults<Given, Wanted, Taker extends string> =
  Known<Given> extends false
    ? never
    : Known<Wanted> extends false
      ? never
      : [Given] extends [never]
        ? never
        : Overlap<Given, Wanted> extends true
          ? never
          : IsPlainObject<Given> & IsPlainObject<Wanted> extends true
            ? FieldFaults<Given, Wanted, Taker>
            : `gives ${Name<Given>}, and the ${Taker} takes ${Name<Wanted>}`;

/** Whether a member of one type is assignable to the other type. */
type Overlap<Given, Wanted> = [Extract<Given, Wanted>] extends [never]
  ? [Extract<Wanted, Given>] extends [never]
    ? false
    : true
  : true;

type FieldFaults<Given, Wanted, Taker extends string> = {
  [Field in keyof Wanted & string]-?: Field extends keyof Given
    ? [Faults<Given[Field], Wanted[Field], Taker>] extends [never]
      ? never
      : `gives ${Name<Given[Field]>} in "${Field}", and the ${Taker} takes ${Name<Wanted[Field]>}`
    : undefined extends Wanted[Field]
      ? never
      : `gives no "${Field}"`;
}[keyof Wanted & string];

type IsPlainObject<Type> = [Type] extends [readonly unknown[] | Date | ((...given: never) => unknown)]
  ? false
  : [Type] extends [object]
    ? true
    : false;

type Name<Type> = [Type] extends [string]
  ? "a string"
  : [Type] extends [number]
    ? "a number"
    : [Type] extends [boolean]
      ? "a boolean"
      : [Type] extends [bigint]
        ? "a bigint"
        : [Type] extends [null | undefined]
          ? "nothing"
          : [Type] extends [readonly unknown[]]
            ? "an array"
            : [Type] extends [Date]
              ? "a Date"
              : [Type] extends [object]
                ? "an object"
                : "values of several types";
