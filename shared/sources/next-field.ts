import { SourceError } from "../base/errors.ts";
import { describeAbsent, type Path, valueAt } from "./body-path.ts";
import { type HttpPage, locate } from "./pagination.ts";

/** Option of the pagination styles that read the next page from a field of the body. */
export interface AbsentFieldOptions {
  /**
   * Whether a page without the field is the last page, as in OData and JSON:API. If the field is absent on page 1, the
   * run's summary shows a warning. Default `false`: a page without the field is an error, because the path may be
   * misspelt.
   */
  readonly absentEnds?: boolean;
}

/**
 * Reads the field that leads to the next page.
 *
 * @param isFirst Whether `page` is page 1.
 * @returns the value, or `undefined` if the field says that this page is the last: it is `null`, `""`, `false` or 0.
 * @throws {SourceError} The field is absent, and `absentEnds` is not set.
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
        `${absent}. Each page of ${locate(page)} must have the field; on the last page it is null or empty. Correct the ` +
          "path, or set absentEnds: true if the API leaves the field out on its last page",
      );
    }
    if (isFirst) warn(`page 1 of ${locate(page)} counts as the only page: ${absent}`);
    return undefined;
  }
  return isEmpty(value) ? undefined : value;
}

/** Whether the value of a field that leads to the next page says that no page follows. */
export const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false || value === 0;
