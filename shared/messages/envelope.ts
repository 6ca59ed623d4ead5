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
 * - 1: the first.
 * - 2: `receives`, `edited`, `bigints`, and in a dead letter `waits` and the reason `waited too long`.
 *
 * Version 3 adds `partition`, for partitions above 0. This code can write it, and leaves it to newer code to read,
 * because its roll-up knows partition 0 only.
 */
export const ENVELOPE_VERSIONS = [1, 2] as const;
const NEWEST = 2;

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
  /** How long the item waited in all. */
  milliseconds: z.number().min(0),
  throttled: waitsOfKindSchema.optional(),
  retryLater: waitsOfKindSchema.optional(),
});

/** The waits of an item's latest life, as its dead letter tells them. */
export type DeadLetterWaits = Readonly<z.infer<typeof waitsSchema>>;

const envelopeSchema = z.strictObject({
  sluice: z.literal(ENVELOPE_VERSIONS),
  workflow: z.string(),
  run: z.string(),
  page: z.int().min(0),
  index: z.int().min(0),
  /** The epoch of the page, see `ItemAddress`. */
  epoch: z.int().min(1),
  /** The page was sent before, so this item may be settled already: the consumer asks the ledger first. */
  resent: z.literal(true).optional(),
  /**
   * The message took the place of an earlier one of the item, which had been received so often: its own receives are
   * counted on from there.
   */
  receives: z.int().min(1).optional(),
  /** A redrive has changed the item: names the change, and is part of the idempotency key from then on. */
  edited: z.string().optional(),
  /** The item holds bigints: the body is read by `parseBigints`. Code that does not know them must not read it. */
  bigints: z.literal(true).optional(),
  item: z.unknown(),
  /** Only in a dead letter. */
  dead: z
    .strictObject({
      reason: z.enum(REASONS),
      at: z.string(),
      /** How often the item had been redriven when it died. */
      redrives: z.int().min(0),
      failures: z.array(failureSchema).readonly(),
      /** Of its latest life; absent where its task never asked for one. */
      waits: waitsSchema.optional(),
      /** Of its last error, for whoever groups dead letters without this library. */
      fingerprint: z.strictObject({ id: z.string(), text: z.string() }).optional(),
      /** The item was too large or not JSON: what stands above is the start of its text. */
      truncated: z.literal(true).optional(),
    })
    .optional(),
});

/** The body of a message on the queue, and with `dead` that of a dead letter. */
export type Envelope = Readonly<z.infer<typeof envelopeSchema>>;
export type DeadLetterEnvelope = Envelope & { readonly dead: NonNullable<Envelope["dead"]> };

/**
 * The version to write an envelope with: the lowest whose readers understand it. So a deploy from the version before
 * holds up only the messages that need the new one.
 */
export function envelopeVersion({
  partition = 0,
  receives,
  edited,
  bigints,
  dead,
}: Pick<Envelope, "receives" | "edited" | "bigints" | "dead"> & { readonly partition?: number }): 1 | 2 | 3 {
  if (partition > 0) return 3;
  const isSecond = [receives, edited, bigints, dead?.waits].some((field) => field !== undefined);
  return isSecond || dead?.reason === "waited too long" ? 2 : 1;
}

/**
 * The envelope in a message's body.
 *
 * @throws {NewerVersionError} A newer version of Sluice wrote it: it must be left as it is.
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

/** What all messages of one page share. */
export interface PageHeader extends PageAddress {
  readonly workflow: string;
  readonly epoch: number;
  readonly resent: boolean;
}

/**
 * The body of an item's message, from the item's JSON text: an item is serialised once.
 *
 * @param item As `toItemJson` writes it; a string is the JSON text of an item without bigints.
 * @throws {ItemError} `TOO_LARGE`: with its envelope it would not fit into a message.
 */
export function envelopeBody(header: PageHeader, index: number, item: ExactText | string): string {
  const { json, bigints }: ExactText = typeof item === "string" ? { json: item } : item;
  const head = JSON.stringify({
    sluice: envelopeVersion({ partition: header.partition, bigints }),
    workflow: header.workflow,
    ...addressFields({ ...header, index }),
    ...(header.resent && { resent: true }),
    ...(bigints && { bigints }),
  });
  const body = toBody(`${head.slice(0, -1)},"item":${json}}`);
  const bytes = Buffer.byteLength(body);
  if (bytes <= LARGEST_ENVELOPE_BYTES) return body;
  throw new ItemError(
    "TOO_LARGE",
    `the item with its envelope takes ${bytes} bytes, more than the ${LARGEST_ENVELOPE_BYTES} that fit into an SQS ` +
      "message beside the history of its failures: send a reference to it instead",
  );
}
