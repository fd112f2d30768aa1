export type { Communicator, Numbers } from "./communicator.ts";
export { exchangeText } from "./exchangeText.ts";
export { exclusively } from "./exclusively.ts";
export { gatherRows } from "./gatherRows.ts";
export { type Hash, hash, textHash } from "./hashes.ts";
export { errorOnAllRanks, isOnAllRanks, onAllRanks, settled } from "./onAllRanks.ts";
export { orderedSum } from "./orderedSum.ts";
export { selfCommunicator } from "./selfCommunicator.ts";
export { type ShardOptions, shardOf } from "./shardOf.ts";
