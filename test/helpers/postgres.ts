import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { needsPostgres, startPostgres } from "../../bench/harness/private-server.ts";
import { temporaryDirectory } from "./test-engine.ts";

/** Whether PostgreSQL is here. If not, its tests are skipped, and one line says so. */
export const hasPostgres: boolean = needsPostgres() === undefined;
if (!hasPostgres) {
  console.log("PostgreSQL is not installed (apt-get install postgresql): the tests that need it are skipped.");
}

/** A server of this test file alone, on a free port of the loopback interface and on a Unix socket. It speaks TLS, too. */
export interface TestPostgres {
  readonly port: number;
  /** The directory of its Unix socket. */
  readonly socket: string;
  /** The certificate of the server, which has signed itself, for 127.0.0.1 and db.test. */
  readonly certificate: string;
  /** Runs statements as the superuser. */
  run(statements: string): Promise<void>;
  /** The superuser over the Unix socket. */
  readonly connect: { readonly host: string; readonly port: number; readonly database: string; readonly user: string };
  close(): Promise<void>;
}

/** The user `bench` needs no password. Every other user needs one. */
const LOG_INS = `
local all bench trust
host all bench 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
`;

export async function startTestPostgres(): Promise<TestPostgres> {
  const directory = temporaryDirectory();
  const settings = {
    fsync: "off",
    ssl: "on",
    ssl_cert_file: "server.crt",
    ssl_key_file: "server.key",
    autovacuum: "off",
  };
  const server = await startPostgres(directory.path, settings, (data) => {
    writeFileSync(join(data, "pg_hba.conf"), LOG_INS);
    const files = ["-keyout", join(data, "server.key"), "-out", join(data, "server.crt")];
    const subject = ["-subj", "/CN=db.test", "-addext", "subjectAltName=DNS:db.test,IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], {
      stdio: "ignore",
    });
    execFileSync("chmod", ["600", join(data, "server.key")]);
  });
  const certificate = readFileSync(join(server.data, "server.crt"), "utf8");
  const connect = { host: server.data, port: server.port, database: "postgres", user: "bench" };
  const client = new Client({ ...connect, password: "", ssl: false });
  await client.connect();
  return {
    port: server.port,
    socket: server.data,
    certificate,
    connect,
    run: async (statements) => void (await client.query(statements)),
    async close() {
      await client.end();
      await server.stop();
      directory[Symbol.dispose]();
    },
  };
}
