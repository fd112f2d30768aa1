/** The program that started this process, as its environment tells. */
export interface Launcher {
  readonly name: string;
  /** Number of processes that it started. */
  readonly size: number;
  /** Whether only one kind of library finds the other processes of this launcher. */
  readonly kind: "openMpi" | "mpich" | "any";
}

/** Environment variables by name. */
type Environment = { readonly [name: string]: string | undefined };

/** Variables in which launchers give the number of processes, those of the innermost launcher first. */
const VARIABLES: readonly (Omit<Launcher, "size"> & { readonly variable: string })[] = [
  { variable: "OMPI_COMM_WORLD_SIZE", name: "Open MPI's mpirun", kind: "openMpi" },
  { variable: "PMI_SIZE", name: "a launcher with PMI, as MPICH's mpirun", kind: "mpich" },
  { variable: "SLURM_STEP_NUM_TASKS", name: "Slurm's srun", kind: "any" },
];

/**
 * The launcher of this process (mpirun, srun), undefined if it was started alone: whether to ask for `mpiCommunicator`.
 *
 * @param environment the process's variables, `process.env`
 */
export function launcherOf(environment: Environment): Launcher | undefined {
  for (const { variable, ...launcher } of VARIABLES) {
    const size = Number(environment[variable]);
    if (Number.isInteger(size) && size >= 1) return { ...launcher, size };
  }
  return undefined;
}
