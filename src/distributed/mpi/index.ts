export type { Communicator, Numbers } from "../communicator.ts";
export { type MpiCommunicator, type MpiOptions, mpiCommunicator } from "./mpiCommunicator.ts";
