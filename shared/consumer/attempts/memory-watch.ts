import { readFileSync } from "node:fs";

/** How often the memory is read. A process that fills memory as fast as it can takes about 100 MB in this time. */
const LOOK_MILLISECONDS = 50;

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
const RESIDENT = /^VmRSS:\s+(\d+) kB$/m;

/**
 * Watches the resident memory of a process, because V8's limit covers the heap only: buffers and native code are not in it.
 * On systems other than Linux, the memory is not known and nothing is watched.
 *
 * @param exceeded Called once, with the memory in MB, when the process takes more than `limitMb`.
 * @returns A function that ends the watch.
 */
export function watchMemory(
  pid: number | undefined,
  limitMb: number,
  exceeded: (megabytes: number) => void,
): () => void {
  const timer = setInterval(() => {
    const megabytes = residentMb(pid);
    if (megabytes === undefined || megabytes <= limitMb) return;
    clearInterval(timer);
    exceeded(megabytes);
  }, LOOK_MILLISECONDS);
  return () => clearInterval(timer);
}

/** The resident memory of a process in MB, or `undefined` if it is not known. */
export function residentMb(pid: number | undefined): number | undefined {
  try {
    return residentMbIn(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return undefined;
  }
}

/** The resident memory in MB in the text of a `status` file. `undefined` if the process has ended: it has no memory. */
export function residentMbIn(status: string): number | undefined {
  const kilobytes = RESIDENT.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Math.ceil(Number(kilobytes) / 1_024);
}
