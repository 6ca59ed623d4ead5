/** A value that survives JSON unchanged. `ExactJson` also has bigints. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
