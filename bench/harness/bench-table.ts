import { Client } from "pg";
import { startPostgres } from "./private-server.ts";

/** What a row of the table is: an id, a text, and a time. */
export const COLUMNS = "id bigint primary key, name text not null, created_at timestamptz not null";

/** Starts PostgreSQL with a table of so many rows, in the order in which they were written. */
export async function startBenchTable(directory: string, rows: number) {
  const server = await startPostgres(directory);
  const url = `postgres://bench@127.0.0.1:${server.port}/postgres`;
  const client = connectTo(server.port);
  await client.connect();
  await client.query(`create table bench (${COLUMNS})`);
  await client.query(
    `insert into bench select n, 'customer ' || n, timestamptz '2026-01-01' + n * interval '1 second' from generate_series(1, ${rows}) n`,
  );
  await client.query("vacuum analyze bench");
  await client.end();
  return { ...server, url };
}

/** The superuser of a private server. */
export const connectTo = (port: number): Client =>
  new Client({ host: "127.0.0.1", port, user: "bench", database: "postgres", password: "", ssl: false });
