import type { SecretPlace } from "../aws/secret-reference.ts";
import { parameterText, secretText } from "../aws/secret-value.ts";
import { type Duration, toMilliseconds } from "../base/duration.ts";
import { ConfigurationError, SluiceError, toError } from "../base/errors.ts";
import { rejectUnknownKeys } from "../base/options.ts";
import { checkSecretName, placeOfSecret, secretVariable } from "./secret-names.ts";

/** The options of `secret`. */
export interface SecretOptions {
  /**
   * How old a value may be: 1 s to 1 day. A value that is older is fetched again before it is used. Default 5 min.
   *
   * A fetch costs $0.05 per 10,000 in Secrets Manager, and nothing for a standard parameter.
   * https://aws.amazon.com/secrets-manager/pricing/
   */
  readonly maxAge?: Duration;
}

/** A secret that the code of a workflow reads. `secret` makes it. */
export interface Secret {
  readonly name: string;
  /**
   * Returns the value. Each execution environment fetches it once, and again when it is older than `maxAge` or stale.
   * Calls at the same time share one fetch. Nothing writes the value to the environment, to a file or to the log.
   *
   * Locally, it is the environment variable with the name of the secret.
   *
   * If AWS cannot be reached or throttles while a value that is not stale is known, `value` returns this value.
   *
   * @param options `signal`: when it fires, the caller waits no longer.
   * @throws {ConfigurationError} The deployed function knows no secret of this name; or locally, the environment variable
   *   is not set.
   * @throws {SluiceError} AWS refuses to return the secret. The code is `SECRET`.
   */
  value(options?: { readonly signal?: AbortSignal }): Promise<string>;
  /**
   * Says that a service refused a value, so that the next call of `value` fetches the secret again. If it was fetched in
   * the meantime, nothing happens: tasks that run at the same time cause one fetch. A value that was fetched less than 10 s
   * ago is not fetched again, so that a wrong secret does not lead to a fetch for each item.
   *
   * @param value What `value` returned.
   */
  markStale(value: string): void;
}

const DEFAULT_AGE = { minutes: 5 } as const;
const AGES = { option: "maxAge", minimum: { seconds: 1 }, maximum: { days: 1 } } as const;

/** No value is fetched again earlier. */
const SHORTEST_AGE_MILLISECONDS = 10_000;

/** What a secret needs of the outside. Tests replace it. */
export interface SecretSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The time in milliseconds since 1970. It continues while Lambda freezes the environment, as no other clock does. */
  now(): number;
  fetch(place: SecretPlace): Promise<string>;
}

const NEVER = new AbortController().signal;

/** One request has a timeout of its own. All callers share the request, so none of them can abort it. */
const REAL: SecretSurroundings = {
  environment: process.env,
  now: Date.now,
  fetch: ({ service, id }) => (service === "ssm" ? parameterText : secretText)(id, process.env, NEVER),
};

/**
 * Makes the accessor of a secret, for the code of a workflow. Call it once, at the top of the file.
 *
 * When deployed, the workflow's option `secrets`, or that of `FanOut`, says where the secret is: in Secrets Manager or in
 * the Parameter Store. Locally, the environment variable with its name has the value: `sluice dev` also reads `.env`.
 * To use the deployed secret locally, set `SLUICE_SECRET_<name>` to its ARN.
 *
 * @param name The name of the secret in the option `secrets`, such as `API_KEY`.
 * @throws {ConfigurationError} The name or an option is invalid.
 * @example
 * ```ts
 * const apiKey = secret("API_KEY");
 *
 * export default defineWorkflow({
 *   name: "invoices",
 *   secrets: { API_KEY: "shop/api-key" },
 *   task: async ({ id }, { signal }) => {
 *     const key = await apiKey.value({ signal });
 *     const response = await fetch(`${API}/invoices/${id}`, { headers: { authorization: `Bearer ${key}` }, signal });
 *     if (response.status === 401) {
 *       // The key was rotated. The next attempt fetches the new one.
 *       apiKey.markStale(key);
 *       throw new Error("the API refused the key");
 *     }
 *     return await checkResponse(response).json();
 *   },
 * });
 * ```
 */
export function secret(name: string, options: SecretOptions = {}): Secret {
  return new CachedSecret(name, options, REAL);
}

/** A secret that is fetched when it is needed, and kept. */
export class CachedSecret implements Secret {
  readonly name: string;
  readonly #maxAgeMilliseconds: number;
  readonly #surroundings: SecretSurroundings;
  /** The latest value that was fetched. */
  #known: { readonly value: string; readonly fetchedAt: number; isStale: boolean } | undefined;
  #fetching: Promise<string> | undefined;

  constructor(name: string, options: SecretOptions, surroundings: SecretSurroundings) {
    checkSecretName(name);
    rejectUnknownKeys(options, ["maxAge"], "the options of a secret");
    this.name = name;
    this.#maxAgeMilliseconds = toMilliseconds(options.maxAge ?? DEFAULT_AGE, AGES);
    this.#surroundings = surroundings;
  }

  async value({ signal }: { readonly signal?: AbortSignal } = {}): Promise<string> {
    signal?.throwIfAborted();
    const { environment } = this.#surroundings;
    const reference = environment[secretVariable(this.name)];
    if (reference === undefined) return this.#localValue();
    if (this.#known !== undefined && this.#isFresh(this.#known)) return this.#known.value;
    this.#fetching ??= this.#fetch(placeOfSecret(this.name, reference)).finally(() => {
      this.#fetching = undefined;
    });
    return await unlessAborted(this.#fetching, signal);
  }

  markStale(value: string): void {
    if (this.#known?.value !== value || this.#ageOf(this.#known) < SHORTEST_AGE_MILLISECONDS) return;
    this.#known.isStale = true;
  }

  #localValue(): string {
    const { environment } = this.#surroundings;
    const value = environment[this.name];
    // An empty variable is one that somebody forgot to fill in.
    if (value !== undefined && value !== "") return value;
    throw new ConfigurationError(
      environment.AWS_LAMBDA_FUNCTION_NAME === undefined
        ? `the secret ${this.name} has no value: locally, set the environment variable ${this.name}, or write it into .env ` +
            "for sluice dev"
        : `the deployed workflow knows no secret ${this.name}: add secrets: { ${this.name}: "name or ARN of the secret" } to ` +
            "the workflow or to FanOut, and deploy it",
    );
  }

  #isFresh(known: { readonly fetchedAt: number; readonly isStale: boolean }): boolean {
    return !known.isStale && this.#ageOf(known) < this.#maxAgeMilliseconds;
  }

  /** A clock that was set back makes a value old, so that no value is kept for longer than allowed. */
  #ageOf({ fetchedAt }: { readonly fetchedAt: number }): number {
    const age = this.#surroundings.now() - fetchedAt;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  async #fetch(place: SecretPlace): Promise<string> {
    try {
      const value = await this.#surroundings.fetch(place);
      this.#known = { value, fetchedAt: this.#surroundings.now(), isStale: false };
      return value;
    } catch (thrown) {
      if (this.#known !== undefined && !this.#known.isStale && isPassing(thrown)) return this.#known.value;
      throw refusal(this.name, place, toError(thrown));
    }
  }
}

/** Whether AWS may answer the same request later. `signedRequest` has already repeated it. */
function isPassing(thrown: unknown): boolean {
  const { name, status } = toError(thrown) as Error & { readonly status?: number };
  return /^(TimeoutError|ConnectionError)$|Throttl|TooManyRequests/.test(name) || (status ?? 0) >= 500;
}

/** How to fix what AWS refused, by the name of its error. */
const FIXES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: "there is no such secret, or it has no value yet: create it, or correct secrets",
  ParameterNotFound: "there is no such parameter: create it, or correct secrets",
  DecryptionFailure: "its KMS key cannot be used: the function needs kms:Decrypt on the key",
};

function refusal(name: string, { service, id }: SecretPlace, cause: Error): SluiceError {
  const action = service === "ssm" ? "ssm:GetParameter" : "secretsmanager:GetSecretValue";
  const fix =
    FIXES[cause.name] ??
    (/AccessDenied/.test(cause.name)
      ? `the credentials need ${action} on it, and kms:Decrypt if a KMS key of yours encrypts it: pass FanOut the secret as a ` +
        "construct that knows its encryptionKey"
      : undefined);
  const because = `the secret ${name} (${id}) cannot be fetched: ${cause.name}: ${cause.message}`;
  return new SluiceError("SECRET", fix === undefined ? because : `${because}. Fix: ${fix}`, {
    cause,
    ids: { secret: id },
  });
}

/** Waits for a promise that others wait for, too, until the signal fires. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
