import type { GivenShare, LimitState, MemberNote } from "../limits/limit-state.ts";

/*
 * DynamoDB bills each update of the limit row by the size of the whole row, and the row has a note and a share of each
 * environment. So both are written as short texts: whole numbers in base 36, and nothing for a value that is absent.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 */

/** A note as text: renewal, epoch, how much older the tried epoch is, wanted, in flight, found, wait, advertised, flags. */
export function noteText(note: MemberNote): string {
  const { renewal, epoch, tried, wanted, inFlight, found, waitUntil, advertised } = note;
  const flags = `${note.isLeaving ? "l" : ""}${note.isEnding ? "e" : ""}${note.isWaitSure ? "s" : ""}`;
  const whole = [renewal, epoch, epoch - tried, wanted, inFlight, found, waitUntil].map(wholeText);
  return withoutEnd([...whole, realText(advertised), flags]).join(",");
}

export function parseNote(text: string): MemberNote {
  const parts = text.split(",");
  const [renewal, epoch, age, wanted, inFlight, found, waitUntil] = parts.map(parseWhole);
  const advertised = parseReal(parts[7]);
  const flags = parts[8] ?? "";
  return {
    renewal: renewal ?? 0,
    epoch: epoch ?? 0,
    tried: (epoch ?? 0) - (age ?? 0),
    wanted: wanted ?? 0,
    ...(flags.includes("l") && { isLeaving: true }),
    ...(flags.includes("e") && { isEnding: true }),
    ...(inFlight !== undefined && { inFlight }),
    ...(found !== undefined && { found }),
    ...(waitUntil !== undefined && { waitUntil }),
    ...(flags.includes("s") && { isWaitSure: true }),
    ...(advertised !== undefined && { advertised }),
  };
}

/** The shares as text: for each member its id, and epoch, slots, starts per second and tokens of each share. */
export function sharesText(shares: LimitState["shares"]): string {
  return Object.entries(shares)
    .map(([member, given]) => [member, ...given.map(shareText)].join("/"))
    .join(";");
}

export function parseShares(text: string): LimitState["shares"] {
  if (text === "") return {};
  return Object.fromEntries(
    text.split(";").map((part) => {
      const [member, ...given] = part.split("/");
      return [member, given.map(parseShare)];
    }),
  );
}

function shareText({ epoch, slots, perSecond, tokens }: GivenShare): string {
  return withoutEnd([wholeText(epoch), wholeText(slots), realText(perSecond), wholeText(tokens)]).join(",");
}

function parseShare(text: string): GivenShare {
  const [epoch, slots, perSecond, tokens] = text.split(",");
  const rate = parseReal(perSecond);
  const given = parseWhole(tokens);
  return {
    epoch: parseWhole(epoch) ?? 0,
    slots: parseWhole(slots) ?? 0,
    ...(rate !== undefined && { perSecond: rate }),
    ...(given !== undefined && { tokens: given }),
  };
}

function withoutEnd(parts: readonly string[]): readonly string[] {
  return parts.slice(0, parts.findLastIndex((part) => part !== "") + 1);
}

/** Only the time of a wait may have a fraction, or be without an end. */
const wholeText = (value: number | undefined): string =>
  value === undefined ? "" : Math.ceil(Math.min(value, Number.MAX_SAFE_INTEGER)).toString(36);

/** Undefined for an empty text. */
const parseWhole = (text: string | undefined): number | undefined =>
  text === undefined || text === "" ? undefined : Number.parseInt(text, 36);

/** Six digits are exact enough for a rate. */
const realText = (value: number | undefined): string =>
  value === undefined ? "" : String(Number(value.toPrecision(6)));

const parseReal = (text: string | undefined): number | undefined =>
  text === undefined || text === "" ? undefined : Number(text);
