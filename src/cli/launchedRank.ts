import { type Command, CommanderError } from "commander";
import { launcherOf } from "../distributed/mpi/index.ts";
import { exitCodes } from "./errorText.ts";

/** Rank of this process by the environment of its launcher, 0 if it was started alone. */
export function launchedRank(): number {
  return launcherOf(process.env)?.rank ?? 0;
}

/** A command that does not share its work: under mpirun or srun, the first rank runs it and the others end at once. */
export function onFirstRankAlone(command: Command): Command {
  return command.hook("preAction", () => {
    if (launchedRank() > 0) throw new CommanderError(exitCodes.success, "onnx-curvature.rank", "left to rank 0");
  });
}

/** A command that runs long and cannot share its work: refused under mpirun or srun, where every rank would do all of it. */
export function onOneProcess(command: Command): Command {
  return command.hook("preAction", () => {
    const { name, size } = launcherOf(process.env) ?? { name: "", size: 1 };
    if (size === 1) return;
    command.error(
      `error: expected ${command.name()} to be started as one process, got ${size} of ${name}; start it alone (report and influence run on ranks)`,
    );
  });
}
