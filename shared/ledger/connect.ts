import { type ConnectionClients, type ConnectionNames, type ConnectionWith, connectWith } from "./connection.ts";
import { Ledger } from "./ledger.ts";

export type { ConnectionClients, ConnectionNames } from "./connection.ts";

/** The queues, the ledger and the runs of one workflow. */
export type Connection = ConnectionWith<Ledger>;

/**
 * Connects to the queues and the ledger of one workflow. The functions, the embedded engine and the commands all use this
 * function. It sends no request.
 *
 * The ledger of the connection announces the end of a run on the control queue, because any process can end a run: for
 * example a consumer that settles the last item, or a command that purges the last dead letter.
 *
 * @example const { runs } = connect({ sqs, dynamoDb }, readOutputs("cities", stackOutputs));
 */
export function connect(clients: ConnectionClients, names: ConnectionNames): Connection {
  return connectWith(clients, names, (...options) => new Ledger(...options));
}
