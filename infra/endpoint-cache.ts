/** An endpoint of a service that names its endpoints itself. */
interface Endpoint {
  readonly Address: string;
  readonly CachePeriodInMinutes: number;
}

interface Kept {
  readonly Address: string;
  readonly Expires: number;
}

/**
 * Replaces the package `@aws-sdk/endpoint-cache` in the bundles of the functions. The client of DynamoDB contains it for
 * endpoint discovery, which is off unless `AWS_ENABLE_ENDPOINT_DISCOVERY` is set. The original brings a library of data
 * structures, 8 KB of each bundle. This class has the same methods, and forgets the key that was set longest ago.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoint-discovery.html
 */
export class EndpointCache {
  readonly #kept = new Map<string, readonly Kept[]>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Returns the address of one of the endpoints that have not expired, at random. */
  getEndpoint(key: string): string | undefined {
    const kept = this.get(key);
    return kept?.[Math.floor(Math.random() * kept.length)]?.Address;
  }

  get(key: string): readonly Kept[] | undefined {
    const now = Date.now();
    const valid = this.#kept.get(key)?.filter(({ Expires }) => now < Expires) ?? [];
    if (valid.length > 0) return valid;
    this.#kept.delete(key);
    return undefined;
  }

  set(key: string, endpoints: readonly Endpoint[]): void {
    const now = Date.now();
    this.#kept.delete(key);
    this.#kept.set(
      key,
      endpoints.map(({ Address, CachePeriodInMinutes }) => ({ Address, Expires: now + CachePeriodInMinutes * 60_000 })),
    );
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#capacity && oldest !== undefined) this.#kept.delete(oldest);
  }

  delete(key: string): void {
    this.#kept.delete(key);
  }

  has(key: string): boolean {
    return (this.#kept.get(key)?.length ?? 0) > 0;
  }

  clear(): void {
    this.#kept.clear();
  }
}
