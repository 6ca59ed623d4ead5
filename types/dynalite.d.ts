declare module "dynalite" {
  import type { Server } from "node:http";

  export interface DynaliteOptions {
    /** Where LevelDB keeps the tables; in memory by default. */
    path?: string;
    /** How long a table stays in CREATING, in ms. */
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
    maxItemSizeKb?: number;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
