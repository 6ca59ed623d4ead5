import { createInterface } from "node:readline";
import { type SqsServer, startSqsServer } from "../../local/sqs/http-server.ts";

// A fresh SQS for each test of a suite that is written in another language. The suite's plugin starts this program and
// writes one command per line to its standard input:
//
//   reset          closes the server and starts an empty one. The answer is its endpoint.
//   advance <s>    moves the server's clock by seconds. The answer is "ok".

let ahead = 0;
let server: SqsServer | undefined;

async function answer(command: string): Promise<string> {
  const [name, argument] = command.split(" ");
  if (name === "reset") {
    await server?.close();
    ahead = 0;
    const clock = () => Date.now() + ahead;
    server = await startSqsServer({ file: ":memory:", accessKeyId: "test", clock });
    return server.endpoint;
  }
  if (name === "advance") {
    ahead += Number(argument) * 1_000;
    server?.store.clockAdvanced();
    return "ok";
  }
  throw new Error(`the command "${command}" is not known: use "reset" or "advance <seconds>"`);
}

for await (const line of createInterface({ input: process.stdin })) console.log(await answer(line));
await server?.close();
