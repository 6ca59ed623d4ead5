import { recordingSeconds, type Topology } from "../../shared/definition/topology.ts";
import type { Plan } from "./plan.ts";

/** The derived topology with shorter timeouts, so that lost messages come again within seconds. */
export function shortTopology(derived: Topology, { realTimes, results }: Plan): Topology {
  const recording = recordingSeconds({ results: results === true ? {} : undefined });
  const refillSeconds = derived.consumer.refillSeconds === 0 ? 0 : 3;
  return {
    ...derived,
    consumer: {
      ...derived.consumer,
      refillSeconds,
      refillWaitingSeconds: 1,
      refillVisibilitySeconds: 5,
      // The attempts that an invocation begins must end before the time that it keeps for recording them.
      timeoutSeconds: refillSeconds + recording + 5,
    },
    queue: { ...derived.queue, visibilityTimeoutSeconds: 8 },
    ...(!realTimes && {
      producer: { ...derived.producer, sliceSeconds: 1, visibilitySeconds: 3, timeoutSeconds: 30 },
      controlQueue: { ...derived.controlQueue, visibilityTimeoutSeconds: 6 },
    }),
  };
}
