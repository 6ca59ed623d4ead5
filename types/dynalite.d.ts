declare module "dynalite" {
  import type { Server } from "node:http";

  export interface DynaliteOptions {
    /** The directory in which LevelDB stores the tables. Default: in memory. */
    path?: string;
    /** How long a new table has the status CREATING, in ms. */
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
    maxItemSizeKb?: number;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
