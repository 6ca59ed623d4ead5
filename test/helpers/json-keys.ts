/**
 * Whether V8 parses a text of JSON correctly. `JSON.parse` of Node 24.21 returns a wrong key in a rare case: after it has
 * parsed an object with the key `"\\"`, it returns this key for the keys `"\n"` and `"\u0000"` at the same place of a later
 * object. Only keys that contain a backslash cause it, so property tests leave texts with an escaped backslash out.
 */
export const isParsedCorrectly = (json: string): boolean => !json.includes("\\\\");
