/** A workflow that needs something which its companion does not get to start. */
export { default } from "./gated.ts";
