import type { MemberNote } from "./limit-state.ts";

/** How long a share is valid without a renewal, on its holder's clock and on the clock of everyone who observes it. */
export const LEASE_MILLISECONDS = 3_000;

/**
 * When this process first saw the latest renewal of each member. The ages are measured with this process's clock only, so the
 * clocks of two environments need not agree. A process that has just started treats every member as alive for the time of a lease.
 */
export class SeenMembers {
  #seen = new Map<string, { readonly renewal: number; readonly at: number }>();
  #askedAt = Number.NEGATIVE_INFINITY;

  /**
   * Notes the members of a row that was just read. Members that are not in it any more are forgotten.
   *
   * @param askedAt When the request for the row began.
   */
  note(members: Readonly<Record<string, MemberNote>>, askedAt: number, now: number): void {
    const before = this.#seen;
    this.#askedAt = askedAt;
    this.#seen = new Map(
      Object.entries(members).map(([member, { renewal }]) => {
        const known = before.get(member);
        return [member, known?.renewal === renewal ? known : { renewal, at: now }];
      }),
    );
  }

  /**
   * Whether a member may still use its share. A member that renews in time is never taken for dead: a request that begins when its
   * lease has ended reads the renewal.
   */
  isAlive(member: string): boolean {
    const seen = this.#seen.get(member);
    return seen === undefined || this.#askedAt - seen.at < LEASE_MILLISECONDS;
  }
}
