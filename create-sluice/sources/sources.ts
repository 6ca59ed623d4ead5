import type { SourceKind } from "../source-kind.ts";
import { api } from "./api.ts";
import { csv } from "./csv.ts";
import { own } from "./own.ts";

/** The kinds of sources that `sluice init` offers, in the order of its list. A new kind adds its file here. */
export const SOURCE_KINDS: readonly SourceKind[] = [csv, api, own];
