export { type Memoized, memoized } from "./memoized.ts";
export { makeQueue } from "./queue.ts";
