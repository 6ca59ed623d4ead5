/** In place of a consumer's bundle, for an attempt whose process ends before it is ready. */
process.exit(7);
