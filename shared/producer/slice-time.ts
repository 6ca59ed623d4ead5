/** How long an invocation may work. */
export interface SliceTime {
  /** The time after which the producer begins no new page, on the producer's clock in milliseconds. */
  readonly sliceEnd: number;
  /** Fires when the producer must stop at once, even in the middle of a page. */
  readonly signal: AbortSignal;
  /** Fires when another producer may have the control message. After that, this producer begins no new page. */
  readonly lost: AbortSignal;
  /**
   * Fires when the process is about to end. The producer then aborts the read of the source, begins no new page, and
   * leaves the rest to another producer. This counts as no failure. Absent: it never fires.
   */
  readonly shutdown?: AbortSignal | undefined;
}

/** Whether the producer must begin nothing more in this invocation. @param now The time on the producer's clock. */
export const isOver = ({ lost, signal, shutdown, sliceEnd }: SliceTime, now: number): boolean =>
  lost.aborted || signal.aborted || shutdown?.aborted === true || now >= sliceEnd;
