import vm from "node:vm";

const throwing = (property: string) =>
  Object.defineProperty(new Error("readable"), property, {
    get() {
      throw new Error(`the getter of ${property}`);
    },
  });

const revoked = (target: object) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};

const cyclic = () => {
  const error = new Error("the outer");
  error.cause = new Error("the inner", { cause: error });
  return error;
};

const trap = () => {
  throw new Error("a trap");
};

/** An object whose code never ends, should anything call it. */
const endless = () => {
  const never = () => {
    for (;;) {}
  };
  return { toString: never, toJSON: never, valueOf: never, [Symbol.toPrimitive]: never };
};

/**
 * What a task may throw, made anew each time, with how it must be described. A test may not print the values themselves:
 * the runner would read them.
 */
export const HOSTILE_VALUES: Readonly<
  Record<string, { readonly make: () => unknown; readonly name: string; readonly message: string | RegExp }>
> = {
  "an error of another realm": {
    make: () => vm.runInNewContext('new TypeError("x")'),
    name: "TypeError",
    message: "x",
  },
  "an error whose name is a getter that throws": { make: () => throwing("name"), name: "Error", message: "readable" },
  "an error whose message is a getter that throws": {
    make: () => throwing("message"),
    name: "Error",
    message: "(the error's message cannot be read)",
  },
  "an error whose stack is a getter that throws": { make: () => throwing("stack"), name: "Error", message: "readable" },
  "an error whose cause is a getter that throws": { make: () => throwing("cause"), name: "Error", message: "readable" },
  "an error whose code is a getter that throws": { make: () => throwing("code"), name: "Error", message: "readable" },
  "an error whose class has a getter that throws": {
    make: () =>
      new (class Nasty extends Error {
        override get name(): string {
          throw new Error("no name");
        }
      })("readable"),
    name: "Nasty",
    message: "readable",
  },
  "a revoked proxy of an error": { make: () => revoked(new Error("gone")), name: "NonError", message: /Revoked Proxy/ },
  "a revoked proxy of a function": { make: () => revoked(trap), name: "NonError", message: /object Function/ },
  "a proxy whose traps throw": {
    make: () => new Proxy(new Error("inside"), { get: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap }),
    name: "NonError",
    message: /inside/,
  },
  "an error with a proxy among its prototypes": {
    make: () => Object.setPrototypeOf(new Error("readable"), new Proxy(Error.prototype, { get: trap })),
    name: "Error",
    message: "readable",
  },
  "an object without a prototype": {
    make: () => Object.assign(Object.create(null), { code: 7 }),
    name: "NonError",
    message: /null prototype.*code: 7/,
  },
  "an object whose toString and toJSON never end": { make: endless, name: "NonError", message: /toJSON/ },
  "an error whose toString and toJSON never end": {
    make: () => Object.assign(new Error("readable"), endless()),
    name: "Error",
    message: "readable",
  },
  "an error that is its own cause": {
    make: cyclic,
    name: "Error",
    message: "the outer: the inner: the outer: the inner",
  },
  "an error with a revoked proxy as cause": {
    make: () => new Error("outer", { cause: revoked({}) }),
    name: "Error",
    message: /^outer: thrown: .*Revoked Proxy/,
  },
  "an AggregateError": {
    make: () => new AggregateError([new Error("a"), "b", undefined, new Error("d")], "all failed"),
    name: "AggregateError",
    message: "all failed: a; b; thrown: undefined (a value that is not an Error); and 1 more",
  },
  "an AggregateError without a message": {
    make: () => new AggregateError([new Error("a")]),
    name: "AggregateError",
    message: "a",
  },
  "an error whose name is a number": {
    make: () => Object.assign(new Error("readable"), { name: 42 }),
    name: "42",
    message: "readable",
  },
  "an error whose message is an object": {
    make: () => Object.assign(new Error(), { message: { status: 500 } }),
    name: "Error",
    message: '{"status":500}',
  },
  "an error whose message is a symbol": {
    make: () => Object.assign(new Error(), { message: Symbol("s") }),
    name: "Error",
    message: "Symbol(s)",
  },
  "an error with a message of 20 MB": {
    make: () => new Error("m".repeat(20_000_000)),
    name: "Error",
    message: /^m{1000}/,
  },
  "an error whose stack is a list": {
    make: () => Object.assign(new Error("readable"), { stack: [1, 2] }),
    name: "Error",
    message: "readable",
  },
  "a DOMException": { make: () => new DOMException("gone", "AbortError"), name: "AbortError", message: "gone" },
  "a symbol": { make: () => Symbol("s"), name: "NonError", message: /Symbol\(s\)/ },
  "a function": { make: () => trap, name: "NonError", message: /\[object Function\]/ },
  "a thenable": {
    // biome-ignore lint/suspicious/noThenProperty: this is the case.
    make: () => ({ then: () => {} }),
    name: "NonError",
    message: /then: \[Function: then\]/,
  },
  "a promise": { make: () => new Promise(() => {}), name: "NonError", message: /Promise/ },
  undefined: { make: () => undefined, name: "NonError", message: "thrown: undefined (a value that is not an Error)" },
  null: { make: () => null, name: "NonError", message: "thrown: null (a value that is not an Error)" },
  "a text": { make: () => "no", name: "NonError", message: "no" },
  "a bigint": { make: () => 2n, name: "NonError", message: /2/ },
};
