/** How much is read ahead. */
export interface PrefetchLimits {
  /** The most reads at the same time. */
  readonly reads: number;
  /** The most bytes that are read ahead. One read is always allowed. */
  readonly bytes: number;
}

/**
 * Reads things in parallel and yields them in their order.
 *
 * @param sizeOf How many bytes the read of a thing returns.
 */
export async function* prefetch<Thing, Content>(
  things: AsyncIterable<readonly Thing[]>,
  read: (thing: Thing) => Promise<Content>,
  sizeOf: (thing: Thing) => number,
  limits: PrefetchLimits,
): AsyncGenerator<{ readonly thing: Thing; readonly content: Content }, void, undefined> {
  const ahead: { readonly thing: Thing; readonly content: Promise<Content>; readonly bytes: number }[] = [];
  let bytes = 0;
  const take = async () => {
    const first = ahead.shift();
    if (first === undefined) throw new Error("nothing is read ahead");
    bytes -= first.bytes;
    return { thing: first.thing, content: await first.content };
  };
  for await (const page of things) {
    for (const thing of page) {
      const size = sizeOf(thing);
      while (ahead.length > 0 && (ahead.length >= limits.reads || bytes + size > limits.bytes)) yield await take();
      const content = read(thing);
      // It is awaited later, and must not count as unhandled until then.
      content.catch(() => {});
      ahead.push({ thing, content, bytes: size });
      bytes += size;
    }
  }
  while (ahead.length > 0) yield await take();
}
