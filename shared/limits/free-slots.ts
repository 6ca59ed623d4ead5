import type { LimitState, MemberNote } from "./limit-state.ts";

/** A member, as the order needs it. */
interface Ordered {
  readonly member: string;
  readonly slots: number;
  readonly wanted: number;
}

/**
 * The order in which members get slots: first those that have the most, so that few environments work. It is the same for all
 * environments that read the same row.
 */
export const byShare = (a: Ordered, b: Ordered): number =>
  b.slots - a.slots || b.wanted - a.wanted || (a.member < b.member ? -1 : 1);

/**
 * The slots that a member may soon have. They are the slots of the fleet, without those that others hold and without those that
 * members before it want. The slots of a member that ends soon count as free. With this number, only the members that will get
 * free slots wait for them and report often. Each report costs as many write units as the row has kilobytes.
 *
 * @param slots The slots of the fleet's limit.
 * @param tasksPerEnvironment What a member wants that the row does not name yet.
 */
export function slotsInReach(
  member: string,
  slots: number,
  { shares, members }: Pick<LimitState, "shares" | "members">,
  tasksPerEnvironment: number,
): number {
  const orderedOf = (each: string, note: MemberNote | undefined): Ordered => ({
    member: each,
    slots: shares[each]?.at(-1)?.slots ?? 0,
    wanted: note?.wanted ?? tasksPerEnvironment,
  });
  const own = orderedOf(member, members[member]);
  let left = slots;
  for (const [each, note] of Object.entries(members)) {
    if (each === member || note.isLeaving || note.isEnding) continue;
    const other = orderedOf(each, note);
    left -= byShare(other, own) < 0 ? Math.max(other.slots, other.wanted) : other.slots;
  }
  return Math.max(0, left);
}
