import { createHash, randomBytes } from "node:crypto";

/**
 * In how many invocations of one chain a function can take part before Lambda stops the chain.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
export const MOST_TURNS = 16;

const LINEAGE = "Lineage=";

/** Which functions took part in a chain of invocations, by the digests of their names, and how often. */
type Lineage = ReadonlyMap<string, number>;

/**
 * Returns how often a function took part in the chain of invocations that sent a message.
 *
 * @param header The message's trace header, its system attribute `AWSTraceHeader`.
 * @example turnsOf("Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1", "cities-producer")
 */
export const turnsOf = (header: string | undefined, name: string): number => lineageOf(header).get(digestOf(name)) ?? 0;

/** The trace header of an invocation of a function by a message with this header. */
export function traceOfInvocation(header: string | undefined, name: string): string {
  const lineage = new Map(lineageOf(header)).set(digestOf(name), turnsOf(header, name) + 1);
  const root = partsOf(header).find((part) => part.startsWith("Root=")) ?? newRoot();
  const turns = [...lineage].map(([digest, count]) => `${digest}:${count}`).join("|");
  return `${root};Parent=${randomBytes(8).toString("hex")};Sampled=0;${LINEAGE}${turns}`;
}

const partsOf = (header: string | undefined): readonly string[] => header?.split(";") ?? [];

function lineageOf(header: string | undefined): Lineage {
  const [text = ""] = partsOf(header).flatMap((part) => (part.startsWith(LINEAGE) ? part.slice(LINEAGE.length) : []));
  const entries = text.split("|").map((entry) => entry.split(":"));
  return new Map(entries.flatMap(([digest, count]) => (digest && count ? [[digest, Number(count)] as const] : [])));
}

const digestOf = (name: string): string => createHash("sha256").update(name).digest("hex").slice(0, 8);

function newRoot(): string {
  const seconds = Math.floor(Date.now() / 1_000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString("hex")}`;
}
