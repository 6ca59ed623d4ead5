/**
 * The most items of one page in the ledger. Sources that choose their own page size use it as well. With 200 items, the
 * row of a page stays near 1 KB, which is one write unit of DynamoDB.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 */
export const ITEMS_PER_PAGE = 200;

/**
 * The first page of a run, or of a partition, has at most this many items, so that consumers begin while the producer prepares
 * the others.
 */
export const ITEMS_OF_FIRST_PAGE = 50;
