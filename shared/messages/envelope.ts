import * as z from "zod";
import { ItemError, MalformedMessageError } from "../base/errors.ts";
import { type ExactText, parseBigints } from "../base/exact-json.ts";
import { FAILURE_KINDS, REASONS } from "../base/failure.ts";
import { refuseNewer } from "../base/newer-version.ts";
import { LARGEST_ENVELOPE_BYTES, toBody } from "./body.ts";
import { addressFields, type PageAddress } from "./item-address.ts";

/**
 * The versions of the envelope that this code reads. Each new field needs a new version, because an older consumer would
 * refuse or misread the envelope. See `docs/internals/versions.md`.
 *
 * - 1: the first version.
 * - 2: `receives`, `edited`, `bigints`, and in a dead letter `waits` and the reason `waited too long`.
 * - 3: `results`.
 * - 4: `partition`, for partitions above 0.
 * - 5: a page whose block is entered into a group of blocks: see `FIRST_GROUPED_PAGE`.
 */
export const ENVELOPE_VERSIONS = [1, 2, 3, 4, 5] as const;
const NEWEST = 5;

/** The first page after the first group of blocks. Older code would enter its block into the wrong row of the ledger. */
export const FIRST_GROUPED_PAGE = 1_000_000;

const failureSchema = z.strictObject({
  attempt: z.int().min(0),
  at: z.string(),
  durationMilliseconds: z.number(),
  kind: z.enum(FAILURE_KINDS),
  name: z.string(),
  message: z.string(),
  stack: z.string().optional(),
});

const waitNoteSchema = z.strictObject({
  at: z.string(),
  name: z.string(),
  message: z.string(),
  milliseconds: z.number().min(0),
});
const waitsOfKindSchema = z.strictObject({ count: z.int().min(1), first: waitNoteSchema, last: waitNoteSchema });
const waitsSchema = z.strictObject({
  /** How long the item waited in total. */
  milliseconds: z.number().min(0),
  throttled: waitsOfKindSchema.optional(),
  retryLater: waitsOfKindSchema.optional(),
});

/** The waits of an item's latest redrive generation, as its dead letter has them. */
export type DeadLetterWaits = Readonly<z.infer<typeof waitsSchema>>;

const envelopeSchema = z.strictObject({
  sluice: z.literal(ENVELOPE_VERSIONS),
  workflow: z.string(),
  run: z.string(),
  /** The number of the partition. Absent: partition 0. */
  partition: z.int().min(1).optional(),
  page: z.int().min(0),
  index: z.int().min(0),
  /** The epoch of the page, see `ItemAddress`. */
  epoch: z.int().min(1),
  /** The page was sent before, so this item may be settled already. The consumer asks the ledger first. */
  resent: z.literal(true).optional(),
  /**
   * How often the earlier messages of the item were received. This message replaces them. The receives of this message are
   * added to the number.
   */
  receives: z.int().min(1).optional(),
  /** The id of the latest change that a redrive made to the item. It is part of the idempotency key. */
  edited: z.string().optional(),
  /** The run keeps results. Code that cannot store the result of this item must put the message back. */
  results: z.literal(true).optional(),
  /** The item contains bigints, so only code with `parseBigints` may read the body. Other code would round them. */
  bigints: z.literal(true).optional(),
  item: z.unknown(),
  /** Present in dead letters, and in the messages that a redrive makes from dead letters. */
  dead: z
    .strictObject({
      reason: z.enum(REASONS),
      at: z.string(),
      /** How often the item had been redriven when it died. */
      redrives: z.int().min(0),
      failures: z.array(failureSchema).readonly(),
      /** The waits of the redrive generation in which the item died. Absent if the task asked for none. */
      waits: waitsSchema.optional(),
      /** The fingerprint of the last error, for programs that group dead letters without this library. */
      fingerprint: z.strictObject({ id: z.string(), text: z.string() }).optional(),
      /** The item was too large or not JSON. `item` is the start of its text. */
      truncated: z.literal(true).optional(),
    })
    .optional(),
});

/** The content of an item's message. With `dead`, it is a dead letter, or a message that a redrive made from one. */
export type Envelope = Readonly<z.infer<typeof envelopeSchema>>;
export type DeadLetterEnvelope = Envelope & { readonly dead: NonNullable<Envelope["dead"]> };

/**
 * The version number that an envelope gets: the lowest version that has all fields of the envelope. So during a deploy,
 * older code delays only the messages that need the new version.
 */
export function envelopeVersion({
  partition = 0,
  page,
  receives,
  edited,
  bigints,
  results,
  dead,
}: Pick<
  Envelope,
  "partition" | "page" | "receives" | "edited" | "bigints" | "results" | "dead"
>): (typeof ENVELOPE_VERSIONS)[number] {
  if (page >= FIRST_GROUPED_PAGE) return 5;
  if (partition > 0) return 4;
  if (results) return 3;
  const isSecond = [receives, edited, bigints, dead?.waits].some((field) => field !== undefined);
  return isSecond || dead?.reason === "waited too long" ? 2 : 1;
}

/**
 * Reads the envelope in a message's body.
 *
 * @throws {NewerVersionError} A newer version of Sluice wrote the message. The caller must put it back unchanged.
 * @throws {MalformedMessageError} The body is not an envelope. The message says what is wrong.
 */
export function parseEnvelope(body: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(body);
    if (typeof json === "object" && json !== null && "bigints" in json) json = parseBigints(body);
  } catch (cause) {
    throw new MalformedMessageError(`the body is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof json === "object" && json !== null && "sluice" in json) refuseNewer(json.sluice, NEWEST, "the envelope");
  const parsed = envelopeSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new MalformedMessageError(`the body is not an envelope: ${z.prettifyError(parsed.error)}`);
}

/** What all messages of one page have in common. */
export interface PageHeader extends PageAddress {
  readonly workflow: string;
  readonly epoch: number;
  readonly resent: boolean;
  /** Whether the run keeps results. Default: false. */
  readonly results?: boolean;
}

/**
 * The body of an item's message. It takes the item as JSON text, so that each item is serialised only once.
 *
 * @param item What `toItemJson` returns, or the JSON text of an item without bigints.
 * @throws {ItemError} `TOO_LARGE`: the item with its envelope does not fit into a message.
 */
export function envelopeBody(header: PageHeader, index: number, item: ExactText | string): string {
  const { json, bigints }: ExactText = typeof item === "string" ? { json: item } : item;
  const results = header.results === true ? ({ results: true } as const) : undefined;
  const head = JSON.stringify({
    sluice: envelopeVersion({ partition: header.partition, page: header.page, bigints, ...results }),
    workflow: header.workflow,
    ...addressFields({ ...header, index }),
    ...(header.resent && { resent: true }),
    ...results,
    ...(bigints && { bigints }),
  });
  const body = toBody(`${head.slice(0, -1)},"item":${json}}`);
  const bytes = Buffer.byteLength(body);
  if (bytes <= LARGEST_ENVELOPE_BYTES) return body;
  throw new ItemError(
    "TOO_LARGE",
    `the item with its envelope takes ${bytes} bytes, more than the ${LARGEST_ENVELOPE_BYTES} that fit into an SQS ` +
      "message beside the history of its failures: send a reference to the item instead",
  );
}
