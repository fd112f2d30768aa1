/** The program that started this process, as its environment tells. */
export interface Launcher {
  readonly name: string;
  /** Number of processes that it started. */
  readonly size: number;
  /** Number of this process among them, from 0. */
  readonly rank: number;
  /** Whether only one kind of library finds the other processes of this launcher. */
  readonly kind: "openMpi" | "mpich" | "any";
}

/** Environment variables by name. */
type Environment = { readonly [name: string]: string | undefined };

/** Variables in which launchers give the number of processes and that of this one, those of the innermost launcher first. */
const VARIABLES: readonly (Pick<Launcher, "name" | "kind"> & {
  readonly variables: readonly [size: string, rank: string];
})[] = [
  { variables: ["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"], name: "Open MPI's mpirun", kind: "openMpi" },
  { variables: ["PMI_SIZE", "PMI_RANK"], name: "a launcher with PMI, as MPICH's mpirun", kind: "mpich" },
  { variables: ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID"], name: "Slurm's srun", kind: "any" },
];

/**
 * The launcher of this process (mpirun, srun), undefined if it was started alone: whether to ask for `mpiCommunicator`.
 *
 * @param environment the process's variables, `process.env`
 */
export function launcherOf(environment: Environment): Launcher | undefined {
  for (const { variables, ...launcher } of VARIABLES) {
    const [size, rank] = variables.map((name) => Number(environment[name] ?? Number.NaN));
    if (!(Number.isInteger(size) && size! >= 1)) continue;
    return { ...launcher, size: size!, rank: Number.isInteger(rank) ? rank! : 0 };
  }
  return undefined;
}
