import {
  type AttributeValue,
  DescribeTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { clientConfig } from "./client-config.ts";

/** How long one request may take, from its start to the last byte of its response, which can have 1 MB and more. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

/** An item or a key as DynamoDB sends it: each value with its type. */
export type TypedItem = Record<string, AttributeValue>;

/** How to scan a table or an index. */
export interface ScanSettings {
  readonly table: string;
  readonly index?: string | undefined;
  readonly consistentRead: boolean;
  readonly filter?:
    | {
        readonly expression: string;
        readonly names?: Readonly<Record<string, string>> | undefined;
        readonly values?: TypedItem | undefined;
      }
    | undefined;
  /** The part of a parallel scan. */
  readonly segment?: { readonly segment: number; readonly totalSegments: number } | undefined;
}

/** One response of a scan. */
export interface ScanResponse {
  readonly items: readonly TypedItem[];
  /** Where the scan continues. `undefined`: the scan has ended. */
  readonly lastKey: TypedItem | undefined;
  /** How many items DynamoDB read, before the filter. */
  readonly scanned: number;
  /** The read units that the request consumed. */
  readonly units: number;
}

/**
 * Scans tables of DynamoDB. A response holds up to 1 MB of items before the filter.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
 *
 * The credentials, the region and the endpoint are the user's own: those that the AWS SDK finds.
 */
export class DynamoDbScanner {
  readonly #config: DynamoDBClientConfig;
  #client: DynamoDBClient | undefined;

  /** @param config Settings that the SDK would otherwise find itself. */
  constructor(config: DynamoDBClientConfig = {}) {
    this.#config = config;
  }

  /**
   * @param from The key of the last item that was read. `undefined`: the start.
   * @param limit The most items to read, before the filter. `undefined`: 1 MB.
   * @throws {Error} DynamoDB refused the request, or its response is malformed.
   */
  async scan(
    { table, index, consistentRead, filter, segment }: ScanSettings,
    from: TypedItem | undefined,
    limit: number | undefined,
    signal: AbortSignal,
  ): Promise<ScanResponse> {
    const command = new ScanCommand({
      TableName: table,
      ReturnConsumedCapacity: "TOTAL",
      ...(index !== undefined && { IndexName: index }),
      ...(consistentRead && { ConsistentRead: true }),
      ...(filter !== undefined && {
        FilterExpression: filter.expression,
        ExpressionAttributeNames: filter.names,
        ExpressionAttributeValues: filter.values,
      }),
      ...(segment !== undefined && { Segment: segment.segment, TotalSegments: segment.totalSegments }),
      ...(from !== undefined && { ExclusiveStartKey: from }),
      ...(limit !== undefined && { Limit: limit }),
    });
    const response = await this.#open().send(command, { abortSignal: signal });
    const { Items: items, LastEvaluatedKey: lastKey, ScannedCount: scanned, ConsumedCapacity } = response;
    // A response that was cut off would look like the end of the table, because the end has no mark but a missing key.
    if (items === undefined || scanned === undefined) throw new Error("the response lacks Items or ScannedCount");
    return { items, lastKey, scanned, units: ConsumedCapacity?.CapacityUnits ?? 0 };
  }

  /**
   * About how many items a table or an index has. DynamoDB updates the number about every six hours.
   * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
   *
   * @throws {Error} DynamoDB refused the request.
   */
  async count(
    { table, index }: Pick<ScanSettings, "table" | "index">,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const command = new DescribeTableCommand({ TableName: table });
    const { Table: described } = await this.#open().send(command, { abortSignal: signal });
    if (index === undefined) return described?.ItemCount;
    const indexes = [...(described?.GlobalSecondaryIndexes ?? []), ...(described?.LocalSecondaryIndexes ?? [])];
    return indexes.find(({ IndexName }) => IndexName === index)?.ItemCount;
  }

  #open(): DynamoDBClient {
    this.#client ??= new DynamoDBClient({
      ...clientConfig({ requestTimeoutMilliseconds: REQUEST_TIMEOUT_MILLISECONDS }),
      ...this.#config,
    });
    return this.#client;
  }
}
