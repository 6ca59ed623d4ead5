export { parseJson, UnsafeNumberError, type UnsafeNumbers } from "../base/exact-json.ts";
export type { Field, Path } from "./body-path.ts";
export type { HeaderNames } from "./csv.ts";
export { type DynamoDbScanOptions, dynamoDbScan, type ScanFilter, type TableName } from "./dynamodb-scan.ts";
export { type FileLinesOptions, type FilePath, fileLines } from "./file-lines.ts";
export { type HttpPagesOptions, httpPages } from "./http-pages.ts";
export type { HeadersInput } from "./http-request.ts";
export { type ItemsOptions, type IterableFactory, items } from "./items.ts";
export type { CsvOptions, JsonLinesOptions, LineOptions } from "./line-options.ts";
export type { AbsentFieldOptions } from "./next-field.ts";
export {
  type HttpPage,
  type JsonObject,
  type PageRequest,
  type Pagination,
  singlePage,
} from "./pagination.ts";
export { type CursorFieldOptions, cursorField, type LastItemOptions, lastItem } from "./pagination-by-cursor.ts";
export { linkHeader, type NextUrlOptions, nextUrl } from "./pagination-by-link.ts";
export { type OffsetLimitOptions, offsetLimit, type PageNumberOptions, pageNumber } from "./pagination-by-number.ts";
export type { EnvironmentText, PostgresConnect } from "./postgres-connect.ts";
export { type PostgresRowsOptions, postgresRows } from "./postgres-rows.ts";
export type { BodyParameter, Parameter } from "./request-parameter.ts";
export type { BucketName } from "./s3-bucket.ts";
export { type S3LinesOptions, type S3LinesPlace, s3Lines } from "./s3-lines.ts";
export { type S3Object, type S3ObjectsOptions, s3Objects } from "./s3-objects.ts";
export {
  type Cursor,
  type Environment,
  type Page,
  type PageReader,
  type Partition,
  type PartitionContext,
  type ReadContext,
  type Source,
  type SourceFiles,
  type SourcePartitions,
  type SourceResource,
  type SourceRight,
  type SourceRights,
  type SourceSize,
  type SourceSizes,
  toSource,
} from "./source.ts";
export type { SqlRowsOptions } from "./sql-options.ts";
export { type SqliteRowsOptions, sqliteRows } from "./sqlite-rows.ts";
export { UnreadableItem } from "./unreadable-item.ts";
