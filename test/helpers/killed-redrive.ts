import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { redrive } from "../../shared/dead-letters/redrive.ts";

// Redrives all dead letters of a workflow in the present directory, and is killed when they are sent and recorded, and the
// first is to be deleted.
const [workflow = ""] = process.argv.slice(2);
const services = await openServices({ workflow, state: new StateDirectory(workflow) });
services.deadLetterQueue.deleteAll = () => {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
};
await redrive({ ...services, select: () => true, exactCounts: true });
