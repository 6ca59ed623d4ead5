import { readFileSync } from "node:fs";

/** A process that fills memory as fast as it can takes some 100 MB more in that time. */
const LOOK_MILLISECONDS = 50;

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
const RESIDENT = /^VmRSS:\s+(\d+) kB$/m;

/**
 * Watches the resident memory of a process: V8's limit bounds its heap, and neither its buffers nor its native code.
 * Where the operating system tells nothing of it (it is not Linux), nothing is watched.
 *
 * @param exceeded Called once, with the memory in MB, when the process takes more than `limitMb`.
 * @returns what ends the watch.
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

/** Resident memory of a process; `undefined` where it is not known. */
export function residentMb(pid: number | undefined): number | undefined {
  try {
    const kilobytes = RESIDENT.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Math.ceil(Number(kilobytes) / 1_024);
  } catch {
    return undefined;
  }
}
