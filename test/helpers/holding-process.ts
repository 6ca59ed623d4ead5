import { StateDirectory, type Use } from "../../local/state-directory.ts";

// Holds the state directory of the workflow `mine` until its parent sends a message.
const [root, use] = process.argv.slice(2);
const state = new StateDirectory("mine", root);
process.on("message", () => {
  state.unlock();
  process.exit();
});
process.send?.(state.lock(use as Use));
