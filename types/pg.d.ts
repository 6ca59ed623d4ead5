/** The part of `pg` that Sluice uses. `pg` is an optional peer dependency and has no types of its own. */
declare module "pg" {
  import type { Socket } from "node:net";
  import type { ConnectionOptions } from "node:tls";

  export interface ClientConfig {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    readonly ssl: false | ConnectionOptions;
    readonly connectionTimeoutMillis?: number;
    readonly keepAlive?: boolean;
    readonly application_name?: string;
    readonly stream?: () => Socket;
  }

  export interface QueryResult {
    readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
    readonly rows: (string | null)[][];
  }

  export interface QueryConfig {
    readonly text: string;
    readonly values?: readonly string[];
    readonly rowMode: "array";
    readonly types: { getTypeParser(): (text: string) => string };
  }

  export class Client {
    constructor(config: ClientConfig);
    connect(): Promise<void>;
    query(query: QueryConfig): Promise<QueryResult>;
    query(text: string): Promise<unknown>;
    /** Starts what has a method `submit`, such as a cursor, and returns it. */
    query<Submittable extends object>(started: Submittable): Submittable;
    end(): Promise<void>;
    on(event: "error", listener: (error: Error) => void): this;
  }

  const pg: { readonly Client: typeof Client };
  export default pg;
}
