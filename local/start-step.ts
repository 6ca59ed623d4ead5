/**
 * A step of an engine's start that takes a moment:
 *
 * - `services`: the queues and the ledger are opened;
 * - `bundle`: the functions are bundled, because something that they are made of has changed;
 * - `environments`: the first execution environments start.
 */
export type StartStep = "services" | "bundle" | "environments";
