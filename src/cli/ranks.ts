import { launcherOf, mpiCommunicator } from "../distributed/mpi/index.ts";
import { type Communicator, isOnAllRanks, selfCommunicator } from "../index.ts";
import { errorText } from "./errorText.ts";
import { muted, printError } from "./print.ts";

/**
 * Runs work on the ranks that mpirun or srun started, or on this process alone. Rank 0 prints for all of them. An error that all ranks have ends
 * them together, and one of a single rank is printed by that rank and ends the others at once.
 */
export async function onRanks<T>(work: (communicator: Communicator) => Promise<T>): Promise<T> {
  const launcher = launcherOf(process.env);
  if (launcher === undefined || launcher.size === 1) return work(selfCommunicator());
  const communicator = await mpiCommunicator();
  muted.value = communicator.rank > 0;
  try {
    const result = await work(communicator);
    await communicator.close();
    return result;
  } catch (error) {
    const stopped = communicator.interruption?.signal.aborted === true;
    if (!isOnAllRanks(error) && !stopped) {
      muted.value = false;
      printError(`${errorText(error, { stack: false })}\n`);
      communicator.abort(1, "the command failed on this rank");
    }
    await communicator.close();
    throw error;
  }
}
