/**
 * `node:http` for bundles. If an ES module imports `node:http` itself, Node reads all of its properties, and with
 * `WebSocket` it loads undici: 35 ms of CPU time in each cold start.
 */
module.exports = process.getBuiltinModule("node:http");
