import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { testObjectStore } from "./object-store-contract.ts";

// Other tests rely on the store in memory, so it must keep the contract, too.
testObjectStore("MemoryObjectStore", async () => new MemoryObjectStore());
