/** In place of a consumer's bundle, for an attempt whose process is never ready. */
process.on("disconnect", () => process.exit(0));
