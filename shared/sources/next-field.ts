import { SourceError } from "../base/errors.ts";
import { describeAbsent, type Path, valueAt } from "./body-path.ts";
import { type HttpPage, locate } from "./pagination.ts";

export interface AbsentFieldOptions {
  /**
   * Whether the API leaves the field out on its last page (OData, JSON:API). Then a page without the field is the last
   * one, and the field's absence on page 1 is a warning in the run's summary. Default `false`: a page without the field
   * is an error, because the path may be misspelt.
   */
  readonly absentEnds?: boolean;
}

/**
 * The value of the field that leads to the next page. `undefined` if the field says that the page is the last one: it is
 * `null`, `""`, `false` or 0.
 *
 * @param isFirst Whether it is page 1.
 * @throws {SourceError} The field is absent, and that does not end the source.
 */
export function nextField(
  page: HttpPage,
  path: Path,
  { absentEnds, isFirst, warn }: { absentEnds: boolean; isFirst: boolean; warn: (message: string) => void },
): unknown {
  const value = valueAt(page.body, path);
  if (value === undefined) {
    const absent = describeAbsent(page.body, path);
    if (!absentEnds) {
      throw new SourceError(
        `${absent}. A page of ${locate(page)} must have the field, null or empty on the last page: correct the path, or ` +
          "set absentEnds: true if the API leaves the field out on its last page",
      );
    }
    if (isFirst) warn(`page 1 of ${locate(page)} is taken for the only page: ${absent}`);
    return undefined;
  }
  return isEmpty(value) ? undefined : value;
}

/** Whether a field that leads to the next page holds nothing that leads there. */
export const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false || value === 0;
