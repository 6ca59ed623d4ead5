import { ConfigurationError, SourceError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import type { Environment } from "./source.ts";

/** A text, or a function that returns the text from the environment variables of the deployed function. */
export type EnvironmentText = string | ((environment: Environment) => string);

/**
 * How to reach a database, and as whom. Write `url`, or `host` and `database` with a `secret`, or `host`, `database`, `user`
 * and `password`. What stands beside `url` or `secret` comes before what they say.
 */
export interface PostgresConnect {
  /**
   * Returns the URL of the database, such as `postgres://reader:password@db.example:5432/shop`, from the environment
   * variables of the function. A function, because the URL contains the password.
   */
  readonly url?: (environment: Environment) => string;
  /**
   * The ARN of a secret in AWS Secrets Manager, whose text is JSON with `username` and `password`, and can have `host`,
   * `port` and `dbname`. RDS writes such secrets. The ARN ends in a hyphen and six characters.
   * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
   */
  readonly secret?: EnvironmentText;
  /** The name of the server, its address, or the directory of its Unix socket. */
  readonly host?: EnvironmentText;
  /** Default 5432. */
  readonly port?: number;
  readonly database?: EnvironmentText;
  readonly user?: EnvironmentText;
  /** Returns the password from the environment variables of the function. */
  readonly password?: (environment: Environment) => string;
  /**
   * `"verify"`: the connection is encrypted, and the certificate of the server is checked against the authorities that Node
   * knows. `{ ca }`: against those in a file, whose path is relative to the working directory. The file is packed with the
   * producer. `"disable"`: the connection is not encrypted. Default: `"verify"`, and `"disable"` for a Unix socket and for
   * this machine.
   * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
   */
  readonly tls?: "verify" | "disable" | { readonly ca: string };
}

const KEYS = {
  url: true,
  secret: true,
  host: true,
  port: true,
  database: true,
  user: true,
  password: true,
  tls: true,
} as const satisfies Record<keyof PostgresConnect, true>;

/** Where and as whom to connect. */
export interface ConnectionParameters {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: "verify" | "disable" | { readonly ca: string };
}

/** @throws {ConfigurationError} An option is unknown or invalid. No message contains a password. */
export function checkConnect(connect: PostgresConnect): void {
  if (typeof connect === "string") {
    throw new ConfigurationError(
      'connect must be an object, so that no password stands in the code: write connect: { url: ({ DATABASE_URL = "" }) => ' +
        "DATABASE_URL }, and name DATABASE_URL in the option environment of the workflow",
    );
  }
  rejectUnknownKeys(connect, Object.keys(KEYS), "connect");
  for (const option of ["url", "password"] as const) {
    const value = connect[option];
    if (value === undefined || typeof value === "function") continue;
    throw new ConfigurationError(
      `connect.${option} must be a function of the environment variables, so that no password stands in the code: write ` +
        `${option}: ({ DATABASE_${option.toUpperCase()} = "" }) => DATABASE_${option.toUpperCase()}`,
    );
  }
  for (const option of ["host", "database", "user"] as const) {
    const value = connect[option];
    if (value === undefined || typeof value === "function" || (typeof value === "string" && value !== "")) continue;
    throw new ConfigurationError(`connect.${option} must be a text or a function, but is ${show(value)}`);
  }
  if (connect.secret !== undefined && typeof connect.secret !== "function") secretArn(connect.secret);
  const { port, tls } = connect;
  if (port !== undefined && !isPort(port)) {
    throw new ConfigurationError(`connect.port must be a whole number from 1 to 65535, but is ${show(port)}`);
  }
  if (tls !== undefined && tls !== "verify" && tls !== "disable") checkAuthorities(tls);
  if (connect.url !== undefined || (connect.host !== undefined && connect.database !== undefined)) return;
  if (connect.secret !== undefined) return;
  throw new ConfigurationError(
    "connect must say which database to read: write url, or secret, or host with database, user and password",
  );
}

function checkAuthorities(tls: { readonly ca: string }): void {
  if (typeof tls === "object" && tls !== null) {
    rejectUnknownKeys(tls, ["ca"], "connect.tls");
    if (typeof tls.ca === "string" && tls.ca !== "") return;
  }
  throw new ConfigurationError(
    `connect.tls must be "verify", "disable" or { ca: "path/of/authorities.pem" }, but is ${show(tls)}`,
  );
}

/** The secret whose value the source reads, if it reads one. */
export function secretOf({ secret }: PostgresConnect, environment: Environment): string | undefined {
  if (secret === undefined) return undefined;
  return secretArn(typeof secret === "function" ? secret(environment) : secret);
}

/**
 * Only a whole ARN names exactly one secret in a policy. At synth it can also be a token of the CDK.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
 */
function secretArn(secret: unknown): string {
  if (typeof secret === "string" && /^arn:[a-z0-9-]+:secretsmanager:[^:]+:[^:]+:secret:.+-.{6}$/.test(secret))
    return secret;
  if (typeof secret === "string" && secret.includes("${Token[")) return secret;
  throw new ConfigurationError(
    `connect.secret must be the whole ARN of a secret, but is ${show(secret)}: aws secretsmanager describe-secret --secret-id ` +
      "NAME prints the ARN, which ends in a hyphen and six characters. If it comes from an environment variable, name the " +
      "variable in the option environment of the workflow",
  );
}

/**
 * The parameters of a connection.
 *
 * @param secretText The text of the secret. `undefined`: the source reads none.
 * @throws {SourceError} A parameter is missing or invalid. No message contains a password.
 */
export function connectionParameters(
  connect: PostgresConnect,
  environment: Environment,
  secretText: string | undefined,
): ConnectionParameters {
  const url = connect.url === undefined ? {} : ofUrl(connect.url(environment));
  const secret = secretText === undefined ? {} : ofSecret(secretText);
  const own = (option: "host" | "database" | "user" | "password") => {
    const value = connect[option];
    const text: unknown = typeof value === "function" ? value(environment) : value;
    if (value === undefined || (typeof text === "string" && text !== "")) return text as string | undefined;
    throw invalid(
      `the function connect.${option} returned ${option === "password" ? "no text" : show(text)}: name the variable that it ` +
        "reads in the option environment of the workflow, and set the variable",
    );
  };
  const host = own("host") ?? secret.host ?? url.host;
  const database = own("database") ?? secret.database ?? url.database;
  const user = own("user") ?? secret.user ?? url.user;
  for (const [option, value] of Object.entries({ host, database, user })) {
    if (value === undefined)
      throw invalid(`connect says no ${option}: add ${option} to connect, to the URL or to the secret`);
  }
  const isHere = host?.startsWith("/") || ["localhost", "127.0.0.1", "::1"].includes(host ?? "");
  return {
    host: host ?? "",
    port: connect.port ?? secret.port ?? url.port ?? 5432,
    database: database ?? "",
    user: user ?? "",
    password: own("password") ?? secret.password ?? url.password ?? "",
    tls: connect.tls ?? url.tls ?? (isHere ? "disable" : "verify"),
  };
}

type Partly = { readonly [option in keyof ConnectionParameters]?: ConnectionParameters[option] | undefined };

const EXAMPLE = "postgres://reader:password@db.example:5432/shop";

function ofUrl(text: unknown): Partly {
  if (typeof text !== "string" || text === "") {
    throw invalid(
      "the function connect.url returned no text: name the variable that it reads in the option environment of the workflow, " +
        "and set the variable",
    );
  }
  const url = URL.parse(text);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw invalid(`the URL of the database is not one of PostgreSQL: write it as ${EXAMPLE}, and encode the password`);
  }
  let tls: ConnectionParameters["tls"] | undefined;
  let socket: string | undefined;
  for (const [name, value] of url.searchParams) {
    if (name === "sslmode" && value === "disable") tls = "disable";
    else if (name === "sslmode" && ["require", "verify-ca", "verify-full"].includes(value)) tls = "verify";
    else if (name === "host" && value.startsWith("/")) socket = value;
    else {
      const shown = name === "sslmode" ? `sslmode=${value}` : name;
      throw invalid(
        `the URL of the database has the parameter ${shown}, which postgresRows does not know: it knows sslmode with disable, ` +
          "require, verify-ca or verify-full, and host with the directory of a Unix socket. Use connect.tls for certificates",
      );
    }
  }
  const filled = (part: string) => (part === "" ? undefined : decode(part));
  return {
    host: socket ?? filled(url.hostname.replace(/^\[(.*)\]$/, "$1")),
    port: url.port === "" ? undefined : Number(url.port),
    database: filled(url.pathname.slice(1)),
    user: filled(url.username),
    password: filled(url.password),
    tls,
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid("the URL of the database has a % that encodes nothing: encode the password with encodeURIComponent");
  }
}

function ofSecret(text: string): Partly {
  let secret: unknown;
  try {
    secret = JSON.parse(text);
  } catch {
    // The error of `JSON.parse` quotes the text.
  }
  if (typeof secret !== "object" || secret === null || Array.isArray(secret)) {
    throw invalid('the secret is not a JSON object: write {"username":"reader","password":"..."}');
  }
  const fields = secret as Readonly<Record<string, unknown>>;
  const textOf = (name: string) => {
    const value = fields[name];
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    throw invalid(`the field ${name} of the secret is not a text`);
  };
  // Secrets that people write have the port as a text.
  const port = fields.port === undefined ? undefined : Number(fields.port);
  if (port !== undefined && !isPort(port)) throw invalid("the field port of the secret is not a port");
  const user = textOf("username");
  const password = textOf("password");
  if (user === undefined || password === undefined) {
    throw invalid(`the secret lacks the field ${user === undefined ? "username" : "password"}: write both as JSON`);
  }
  return { host: textOf("host"), port, database: textOf("dbname"), user, password };
}

const isPort = (port: unknown): port is number =>
  typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65_535;

/** Not permanent: a secret or a variable can be corrected while the run tries again. */
const invalid = (message: string): SourceError => new SourceError(message);
