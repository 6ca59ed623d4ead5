/**
 * Replaces `process.send` and `process.disconnect` by functions that do nothing. Both the functions and the processes
 * of isolated attempts call this. So a message that a task tries to send to its parent process has no effect, wherever
 * the task runs. Sluice's own processes use a `PrivateChannel` instead.
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
