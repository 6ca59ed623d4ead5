/** A value that is the same after it was written as JSON and parsed again. `ExactJson` also allows bigints. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
