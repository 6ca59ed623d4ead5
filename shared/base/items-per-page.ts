/**
 * Items of a page of the ledger at most, and so of a page of a source that cuts its pages itself: a page row with its
 * sets stays near 1 KB, one DynamoDB write unit.
 */
export const ITEMS_PER_PAGE = 200;
