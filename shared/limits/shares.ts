import { byShare } from "./free-slots.ts";
import type { GivenShare, MemberNote } from "./limit-state.ts";

/** What the shares are made of. */
export interface Divided {
  /** The fleet's slots: a whole number. */
  readonly slots: number;
  readonly perSecond: number | undefined;
}

export type Shares = Readonly<Record<string, readonly GivenShare[]>>;

/**
 * Divides the fleet's limit among its members.
 *
 * The slots are exact, and packed: the member that has the most slots keeps them, up to what it can use, then the next. So few
 * environments work, and the others end. A member whose share shrinks has the smaller share from this epoch on, but may use the larger
 * one until it reports that it has seen the smaller one. Therefore a member gains only slots that no other member may still
 * use. A rate is divided in proportion to the slots. Its division may be inexact for a second; tokens are exact.
 *
 * @param before The shares of the members that live: of all epochs since the one that the member has seen.
 * @param epoch The epoch that gives the new shares.
 * @param tasksPerEnvironment The most slots of a member.
 */
export function divide(
  limit: Divided,
  members: Readonly<Record<string, Pick<MemberNote, "wanted" | "epoch" | "isLeaving" | "isEnding" | "inFlight">>>,
  before: Shares,
  epoch: number,
  tasksPerEnvironment: number,
): Shares {
  const holders = Object.entries(members).map(([member, note]) => {
    const { wanted, epoch: seen, isLeaving = false, isEnding = false, inFlight = 0 } = note;
    const given = stillUsable(before[member] ?? [], seen);
    return {
      member,
      isLeaving,
      // A member that leaves holds the slots of its attempts. One that ends soon keeps what nobody else wants.
      order: isLeaving ? 0 : isEnding ? 2 : 1,
      wanted: Math.min(wanted, tasksPerEnvironment),
      given,
      slots: given.at(-1)?.slots ?? 0,
      mostSlots: isLeaving ? wanted : given.reduce((largest, share) => Math.max(largest, share.slots), inFlight),
    };
  });
  holders.sort((a, b) => a.order - b.order || byShare(a, b));
  let left = limit.slots;
  const wanted = holders.map((holder) => {
    const slots = Math.max(0, Math.min(holder.wanted, left));
    left -= slots;
    return slots;
  });
  const slots = grant(
    limit.slots,
    wanted,
    holders.map(({ mostSlots }) => mostSlots),
  );
  const { perSecond } = limit;
  // A member that leaves starts nothing more. The others keep their rates until a new member takes its place.
  let places = limit.slots;
  const weights = holders.map((holder) => {
    const weight = holder.isLeaving ? 0 : Math.max(0, Math.min(holder.wanted, places));
    places -= weight;
    return weight;
  });
  const leaving = holders.reduce((sum, holder) => sum + (holder.isLeaving ? holder.slots : 0), 0);
  const all = Math.min(limit.slots, weights.reduce((sum, each) => sum + each, 0) + leaving);
  const rateOf = (position: number) =>
    perSecond === undefined || all === 0 ? 0 : (perSecond * (weights[position] ?? 0)) / all;
  return Object.fromEntries(
    holders.map(({ member, given }, position) => {
      const share: GivenShare = {
        epoch,
        slots: slots[position] ?? 0,
        perSecond: perSecond === undefined ? undefined : rateOf(position),
      };
      return [member, [...given, share]];
    }),
  );
}

/** The shares that a member may use, if the latest epoch it has reported is `seen`: the one it had then, and all later ones. */
function stillUsable(given: readonly GivenShare[], seen: number): readonly GivenShare[] {
  const known = given.findLastIndex(({ epoch }) => epoch <= seen);
  return given.slice(Math.max(0, known));
}

/** Gives each member what it wants, as far as the others may not still use it. */
function grant(total: number, wanted: readonly number[], usable: readonly number[]): readonly number[] {
  let left = total - usable.reduce((sum, each) => sum + each, 0);
  return wanted.map((each, position) => {
    const has = usable[position] ?? 0;
    if (each <= has) return each;
    const more = Math.max(0, Math.min(each - has, left));
    left -= more;
    return has + more;
  });
}
