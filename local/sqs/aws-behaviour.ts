import { ConfigurationError } from "../../shared/base/errors.ts";

/**
 * What AWS's SQS does and the embedded SQS does on request only. By default a short run on one machine is easier to follow
 * and no slower than it must be. Tests use these options, because nothing may depend on the default.
 */
export interface AwsBehaviour {
  /**
   * A receive from a standard queue returns any of its visible messages, and not the oldest ones. AWS promises no order.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
   */
  readonly randomOrder?: boolean;
  /**
   * The counts of `GetQueueAttributes` are up to this many milliseconds old. On AWS they are consistent about a minute
   * after the last send.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
   */
  readonly countsLagMilliseconds?: number;
  /**
   * A FIFO queue refuses more than 300 requests of one kind in a second.
   * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
   */
  readonly fifoThroughput?: boolean;
}

/** The environment variable with the names of the behaviours to use, separated by commas. */
export const BEHAVIOUR_VARIABLE = "SLUICE_LOCAL_SQS";

const COUNTS_LAG_MILLISECONDS = 2_000;

const BEHAVIOURS: Readonly<Record<string, AwsBehaviour>> = {
  "random-order": { randomOrder: true },
  "lagging-counts": { countsLagMilliseconds: COUNTS_LAG_MILLISECONDS },
  "fifo-throughput": { fifoThroughput: true },
};

/**
 * Reads the behaviours that an environment asks for.
 *
 * @throws {ConfigurationError} A name is not known.
 * @example awsBehaviourOf({ SLUICE_LOCAL_SQS: "random-order,fifo-throughput" })
 */
export function awsBehaviourOf(environment: Readonly<Record<string, string | undefined>>): AwsBehaviour {
  const names = (environment[BEHAVIOUR_VARIABLE] ?? "").split(",").filter((name) => name !== "");
  return Object.assign({}, ...names.map(behaviourCalled));
}

function behaviourCalled(name: string): AwsBehaviour {
  const behaviour = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined;
  if (behaviour !== undefined) return behaviour;
  throw new ConfigurationError(
    `${BEHAVIOUR_VARIABLE} has the unknown name "${name}": use ${Object.keys(BEHAVIOURS).join(", ")}, or unset it`,
  );
}
