/**
 * Gives a process a `process.send` and a `process.disconnect` that do nothing, in a function and in the process of an
 * isolated attempt alike. So a task that tries to reach its parent process changes nothing, wherever it runs: it finds no
 * parent on AWS, and Sluice's own processes talk over a `PrivateChannel`.
 */
export function ignoreProcessMessages(): void {
  Object.assign(process, {
    connected: true,
    send(...parameters: readonly unknown[]): boolean {
      const sent = parameters.at(-1);
      if (typeof sent === "function") process.nextTick(sent, null);
      return true;
    },
    disconnect(): void {
      Object.assign(process, { connected: false });
    },
  });
}
