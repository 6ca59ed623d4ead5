import { type ControllerOptions, type ControllerState, nextLimit } from "./controller.ts";
import type { FleetLimit, SetLimit } from "./fleet-limit.ts";
import type { GivenShare, LimitState, MemberNote } from "./limit-state.ts";
import { NO_REPORT, type Report, reportSince } from "./report.ts";
import type { SeenMembers } from "./seen-members.ts";
import { type Divided, divide, type Shares } from "./shares.ts";

/** The shortest epoch. */
export const EPOCH_MILLISECONDS = 1_000;

/** An epoch that is due later than this from now comes from a clock that is wrong. It is not waited for. */
const LATEST_DUE_MILLISECONDS = 10_000;

/** The row of a workflow that has none yet. */
export const EMPTY_STATE: LimitState = {
  epoch: 0,
  at: 0,
  dueAt: 0,
  counted: NO_REPORT,
  countedBefore: NO_REPORT,
  controller: undefined,
  limit: {},
  shares: {},
  members: {},
  tokensLeft: 0,
  set: {},
};

/**
 * The attributes of the limit row that begin an epoch. They are written together, on the condition that the row's `epoch` is
 * still `epoch - 1`.
 */
export interface NextEpoch {
  readonly epoch: number;
  readonly at: number;
  readonly dueAt: number;
  readonly countedBefore: Report;
  readonly controller: ControllerState;
  readonly limit: FleetLimit;
  readonly shares: LimitState["shares"];
  readonly tokensLeft: number;
  /** Members that do not live any more, or that the row need not name. The same write removes their notes. */
  readonly gone: readonly string[];
}

export interface AdvanceOptions extends ControllerOptions {
  readonly tasksPerEnvironment: number;
  /** How long an epoch lasts. Default: 1 s. */
  readonly epochMilliseconds?: number;
  /** The limits of the deployed workflow. `state.set` comes on top of them. */
  readonly set?: SetLimit;
}

/**
 * Computes the next epoch from the row, or `undefined` if none is due. A member that has no share need not wait while some is
 * free: it begins an epoch that only divides the limit anew. Pure: of several environments that call it at once,
 * the one whose conditional write succeeds has begun the epoch.
 *
 * @param member The environment that asks.
 * @param now The environment's clock, in milliseconds since 1970.
 */
export function advance(
  state: LimitState,
  seen: SeenMembers,
  member: string,
  now: number,
  options: AdvanceOptions,
): NextEpoch | undefined {
  const isDue = now >= state.dueAt || state.dueAt - now >= LATEST_DUE_MILLISECONDS;
  if (!isDue) return redivide(state, seen, member, options);
  const epoch = state.epoch + 1;
  const alive = Object.fromEntries(Object.entries(state.members).filter(([member]) => seen.isAlive(member)));
  const set = smallest(options.set ?? {}, state.set);
  const { state: controller, limit } = nextLimit(
    state.controller,
    {
      epoch: state.epoch,
      seenEpoch: least(starting(alive, state.shares).map(({ epoch }) => epoch)),
      triedEpoch: least(starting(alive, state.shares).map(({ tried }) => tried)),
      mostTriedEpoch: triedByMost(alive, state.shares),
      counted: reportSince(state.counted, state.countedBefore),
      members: Object.keys(alive).length,
      holders: starting(alive, state.shares).length,
      found: foundOf(alive, state.shares),
      from: state.at,
      to: now,
      waitUntil: commonWait(alive, state.shares),
      advertised: least(Object.values(alive).map(({ advertised }) => advertised)),
    },
    set,
    options,
  );
  const isLimited = limit.slots !== undefined || limit.perSecond !== undefined;
  // The row names nobody while nothing is throttled.
  const isOpen = !isLimited && controller.phase === "open";
  const shares: Shares = isLimited
    ? divide(
        { slots: limit.slots ?? options.concurrency, perSecond: limit.perSecond },
        alive,
        state.shares,
        epoch,
        options.tasksPerEnvironment,
      )
    : {};
  const tokens = giveTokens(state, shares, now, set);
  return {
    epoch,
    at: now,
    dueAt: now + (options.epochMilliseconds ?? EPOCH_MILLISECONDS),
    countedBefore: state.counted,
    controller,
    limit,
    shares: tokens.shares,
    tokensLeft: tokens.left,
    gone: Object.keys(state.members).filter((member) => isOpen || !Object.hasOwn(alive, member)),
  };
}

/** Divides the limit in force anew. */
function redivide(
  state: LimitState,
  seen: SeenMembers,
  member: string,
  { concurrency, tasksPerEnvironment, set }: AdvanceOptions,
): NextEpoch | undefined {
  const { limit, members, controller } = state;
  const own = state.shares[member]?.at(-1)?.slots ?? 0;
  const note = members[member];
  const isWaiting = !note?.isLeaving && !note?.isEnding && own < (note?.wanted ?? 0) / 2;
  if (!isWaiting || controller === undefined || (limit.slots === undefined && limit.perSecond === undefined))
    return undefined;
  const alive = Object.fromEntries(Object.entries(members).filter(([each]) => seen.isAlive(each)));
  const epoch = state.epoch + 1;
  const divided: Divided = { slots: limit.slots ?? concurrency, perSecond: limit.perSecond };
  const shares = divide(divided, alive, state.shares, epoch, tasksPerEnvironment);
  const slotsOf = (of: Shares, each: string) => of[each]?.at(-1)?.slots ?? 0;
  const isTaken = Object.keys(alive).some(
    (each) => alive[each]?.isEnding && slotsOf(shares, each) < slotsOf(state.shares, each),
  );
  if (slotsOf(shares, member) <= own && !isTaken) return undefined;
  const { perSecond } = smallest(set ?? {}, state.set);
  let tokensLeft = state.tokensLeft;
  const tokensOf = (each: string, slots: number): number | undefined => {
    const before = state.shares[each]?.at(-1)?.tokens;
    if (perSecond === undefined || before !== undefined) return before;
    // A new member need not wait for the next epoch if tokens are left.
    const tokens = Math.min(Math.floor(tokensLeft), Math.ceil((perSecond * slots) / divided.slots));
    tokensLeft -= tokens;
    return tokens;
  };
  return {
    ...state,
    controller,
    epoch,
    shares: Object.fromEntries(
      Object.entries(shares).map(([each, given]) => {
        const last = given.at(-1);
        return [
          each,
          last === undefined ? given : [...given.slice(0, -1), { ...last, tokens: tokensOf(each, last.slots) }],
        ];
      }),
    ),
    tokensLeft,
    gone: Object.keys(members).filter((each) => !Object.hasOwn(alive, each)),
  };
}

const smallest = (a: SetLimit, b: SetLimit): SetLimit => ({
  concurrency: least([a.concurrency, b.concurrency]),
  perSecond: least([a.perSecond, b.perSecond]),
  burst: a.burst ?? b.burst,
});

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** What the service accepted in flight when it refused more. Members that were not refused may use their whole shares. */
function foundOf(alive: Readonly<Record<string, MemberNote>>, shares: Shares): number | undefined {
  const notes = Object.entries(alive);
  if (notes.every(([, { found }]) => found === undefined)) return undefined;
  return notes.reduce((sum, [member, { found }]) => sum + (found ?? shares[member]?.at(-1)?.slots ?? 0), 0);
}

const SURE_MEMBERS = 3;

/**
 * The time until which the service has asked all members that may start attempts to wait. `undefined` if one of them need not
 * wait: that member continues for the others.
 */
function commonWait(alive: Readonly<Record<string, MemberNote>>, shares: Shares): number | undefined {
  const holders = Object.entries(alive).filter(([member]) => (shares[member]?.at(-1)?.slots ?? 0) > 0);
  const notes = (holders.length > 0 ? holders : Object.entries(alive)).map(([, note]) => note);
  // Several environments that were refused tried several items, too.
  const isSure = notes.length >= SURE_MEMBERS || notes.some(({ isWaitSure }) => isWaitSure === true);
  const wait = notes.length === 0 ? 0 : Math.min(...notes.map(({ waitUntil }) => waitUntil ?? 0));
  return isSure && wait > 0 ? wait : undefined;
}

/** The notes of the members that may start attempts. */
const starting = (alive: Readonly<Record<string, MemberNote>>, shares: Shares): readonly MemberNote[] =>
  Object.entries(alive)
    .filter(([member, { isLeaving }]) => !isLeaving && (shares[member]?.at(-1)?.slots ?? 0) > 0)
    .map(([, note]) => note);

/** The part of the slots whose holders must have tried an epoch's shares. */
const MOST = 0.9;

/**
 * The epoch whose shares the holders of most slots have had during the whole time of their latest reports. In a large fleet, one
 * environment or another has always just begun or just died.
 */
function triedByMost(alive: Readonly<Record<string, MemberNote>>, shares: Shares): number | undefined {
  const holders = Object.entries(alive)
    .map(([member, { tried, isLeaving }]) => ({ tried, slots: isLeaving ? 0 : (shares[member]?.at(-1)?.slots ?? 0) }))
    .filter(({ slots }) => slots > 0)
    .sort((a, b) => b.tried - a.tried);
  let left = MOST * holders.reduce((sum, { slots }) => sum + slots, 0);
  for (const { tried, slots } of holders) {
    left -= slots;
    if (left <= 0) return tried;
  }
  return undefined;
}

/** Gives each member whole tokens of the set rate, for the time since the epoch before. */
function giveTokens(
  state: LimitState,
  shares: Shares,
  now: number,
  { perSecond, burst = 1 }: SetLimit,
): { readonly shares: Shares; readonly left: number } {
  if (perSecond === undefined) return { shares, left: 0 };
  const seconds = Math.max(0, now - state.at) / 1_000;
  // After a pause there are as many tokens as in an epoch, or the burst. An epoch may come late.
  const ofEpoch = perSecond * Math.min(seconds, 1.5) + (state.tokensLeft % 1);
  let left = Math.min(state.tokensLeft + perSecond * seconds, Math.max(burst, ofEpoch));
  const current = inTurn(Object.entries(shares), state).map(([member, given]) => ({
    member,
    given,
    share: given.at(-1),
    slots: given.at(-1)?.slots ?? 0,
  }));
  const slots = current.reduce((sum, member) => sum + member.slots, 0);
  const available = Math.floor(left);
  let part = 0;
  const given = current.map(({ member, given, share, slots: own }): [string, readonly GivenShare[]] => {
    const before = state.shares[member]?.at(-1)?.tokens ?? 0;
    if (share === undefined) return [member, given];
    // Rounding the running sum gives away exactly what is available.
    const from = Math.floor(part);
    part += slots === 0 ? 0 : (available * own) / slots;
    const tokens = Math.floor(part + 1e-9) - from;
    left -= tokens;
    return [member, [...given.slice(0, -1), { ...share, tokens: before + tokens }]];
  });
  return { shares: Object.fromEntries(given), left };
}

/** The members in an order that begins one member later with each token that was given, so that they get tokens in turn. */
function inTurn<Entry extends readonly [member: string, ...unknown[]]>(
  members: readonly Entry[],
  { shares }: LimitState,
): readonly Entry[] {
  const given = members.reduce((sum, [member]) => sum + (shares[member]?.at(-1)?.tokens ?? 0), 0);
  const first = members.length === 0 ? 0 : given % members.length;
  return [...members.slice(first), ...members.slice(0, first)];
}
