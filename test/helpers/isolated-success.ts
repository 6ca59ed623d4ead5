/** In place of a consumer's bundle, for an isolated attempt that succeeds whatever its item. */
process.on("message", () => process.send?.({ tag: "succeeded" }));
process.send?.({ tag: "ready" });
