import { availableParallelism, cpus } from "node:os";
import { makeQueue } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Communicator, Numbers } from "../communicator.ts";
import { interruptionOf } from "../interruption.ts";
import { type Launcher, launcherOf } from "./launcher.ts";
import { type Foreign, type Handle, loadLibrary, type MpiLibrary } from "./library.ts";

/** Options of the communicator over MPI. */
export interface MpiOptions {
  /** Name or path of the MPI library; default: the environment variable MPI_LIBRARY, else the one that fits the launcher. */
  readonly library?: string;
  /**
   * Longest time in milliseconds that one exchange may take, the time to wait for slower ranks included; default: 30 minutes. Then the rank
   * writes what it waited for and ends all ranks with exit code 75. MPI itself waits for a rank that hangs as long as the rank does.
   * `Infinity` waits as MPI does.
   */
  readonly timeoutMs?: number;
}

/** The ranks of an MPI job. */
export interface MpiCommunicator extends Communicator {
  /** The library: its file, and what it says of itself. */
  readonly library: { readonly file: string; readonly abi: string; readonly version: string };
  /** What a user should know of the way in which the ranks were started. */
  readonly notices: readonly string[];
}

/** Exit code of a job whose watchdog found a silent rank: EX_TEMPFAIL of sysexits.h. */
const SILENT_RANK = 75;

/** Exit code of a rank that ended before `close` without one of its own. */
const ENDED_EARLY = 1;

/** Milliseconds that the launcher gets to read a reason before the rank aborts: 0 lost it in 4 of 4 runs, 100 in none of 20. */
const OUTPUT_TIME = 200;

const HALF_AN_HOUR = 1_800_000;

/** Longest delay of Node's timers. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Elements of one exchange. Longer arrays go in pieces: the library's scratch buffers then stay small (one exchange of 40 MB took 10 to 50 times
 * as long as the same in pieces, because of memory touched for the first time), and counts stay below 2^31.
 */
const PIECE = 2 ** 20;

let opened = false;

/**
 * The ranks of the MPI job that this process is a part of, by `MPI_Init_thread` through the optional package koffi; no compiler and no header is
 * needed. Open MPI's own ABI, MPICH's (Intel MPI, MVAPICH) and the standard ABI of MPI 5 are known. Without a launcher it is rank 0 of 1. Call it
 * once, and `close` at the end on every rank: a rank that ends without it, by an error or `process.exit`, ends all ranks with a code
 * other than 0.
 *
 * It sets UCX_MEM_EVENTS=n and UCX_ERROR_SIGNALS to nothing unless these are set: the UCX transport would patch memory functions under
 * running threads (5 of 260 runs crashed), and would take the signals by which WebAssembly finds errors. On InfiniBand the first costs the cache of
 * registered memory.
 *
 * @throws CurvatureError "runtime" if koffi or the library is missing, if MPI does not start, or if the launcher started several processes of
 *   which this library knows only one; "argument" for unknown options or a second call
 */
export async function mpiCommunicator(options: MpiOptions = {}): Promise<MpiCommunicator> {
  checkOptions("mpiCommunicator", options, "library timeoutMs");
  const { library: file = process.env.MPI_LIBRARY, timeoutMs = HALF_AN_HOUR } = options;
  if (!(timeoutMs > 0)) {
    throw new CurvatureError("argument", `mpiCommunicator expects timeoutMs to be positive, got ${timeoutMs}`);
  }
  if (opened) {
    throw new CurvatureError(
      "argument",
      "mpiCommunicator was called before in this process, and MPI starts only once; pass its communicator on",
    );
  }
  process.env.UCX_MEM_EVENTS ??= "n";
  process.env.UCX_ERROR_SIGNALS ??= "";
  const launcher = launcherOf(process.env);
  const mpi = await loadLibrary(file || undefined, launcher);
  opened = true;
  const { rank, size } = start(mpi);
  if (launcher !== undefined && launcher.size > 1 && size === 1) throw wrongLibrary(mpi, launcher);
  return communicator(mpi, { rank, size, timeoutMs });
}

function wrongLibrary(mpi: MpiLibrary, { name, size }: Launcher): CurvatureError {
  mpi.finalize();
  return new CurvatureError(
    "runtime",
    `${name} started ${size} processes, but ${mpi.file} (${mpi.abi.name}) finds only this one; start them by the mpirun of that library, or name the library of the launcher by MPI_LIBRARY`,
  );
}

/** Initializes MPI; errors come back as codes from then on. */
function start(mpi: MpiLibrary): { readonly rank: number; readonly size: number } {
  const { world, errorsReturn } = mpi.handles;
  const provided = new Int32Array(1);
  // Exchanges run on another thread, one at a time; the watchdog aborts on this one meanwhile.
  check(mpi, "MPI_Init_thread", mpi.initThread(null, null, mpi.abi.threads.multiple, provided));
  if (provided[0]! < mpi.abi.threads.serialized) {
    throw new CurvatureError(
      "runtime",
      `${mpi.file} allows calls from its first thread only (level ${provided[0]}); use a library that was built with MPI_THREAD_SERIALIZED or MPI_THREAD_MULTIPLE`,
    );
  }
  check(mpi, "MPI_Comm_set_errhandler", mpi.setErrorHandler(world, errorsReturn));
  const [rank, size] = [new Int32Array(1), new Int32Array(1)];
  check(mpi, "MPI_Comm_rank", mpi.commRank(world, rank));
  check(mpi, "MPI_Comm_size", mpi.commSize(world, size));
  return { rank: rank[0]!, size: size[0]! };
}

/** @throws CurvatureError "runtime" with MPI's own text, if a function returned an error code */
function check(mpi: MpiLibrary, name: string, code: number): void {
  if (code === 0) return;
  throw new CurvatureError(
    "runtime",
    `${name} of ${mpi.file} failed: ${textOf((...to) => mpi.errorString(code, ...to))}`,
  );
}

/** Text that a function of MPI writes; longest are 8,192 bytes, of a version. */
function textOf(write: (text: Uint8Array, length: Int32Array) => number): string {
  const [text, length] = [new Uint8Array(2 ** 14), new Int32Array(1)];
  write(text, length);
  return new TextDecoder().decode(text.subarray(0, length[0])).replace(/\0.*$/s, "").trim();
}

function communicator(
  mpi: MpiLibrary,
  { rank, size, timeoutMs }: { readonly rank: number; readonly size: number; readonly timeoutMs: number },
): MpiCommunicator {
  const { world } = mpi.handles;
  const { abort, release } = endingTogether(mpi, `rank ${rank} of ${size}`);
  const call = oneByOne(mpi, { timeoutMs, abort });
  const barrier = () => call("MPI_Barrier", mpi.barrier, () => [[world] as const]);
  let open = true;
  return {
    rank,
    size,
    library: { file: mpi.file, abi: mpi.abi.name, version: textOf(mpi.libraryVersion).split("\n")[0]! },
    notices: noticesOf(),
    ...exchanges(mpi, { size, call }),
    barrier,
    interruption: interruptionOf(size),
    abort,
    async close() {
      if (!open) return;
      await barrier();
      open = false;
      release();
      check(mpi, "MPI_Finalize", mpi.finalize());
    },
  };
}

/** Ends all ranks where this one ends, until it is released. */
function endingTogether(mpi: MpiLibrary, name: string) {
  let held = true;
  const abort = (code: number, reason?: string): never => {
    held = false;
    if (reason !== undefined) {
      process.stderr.write(`${name}: ${reason}\n`);
      // Open MPI drops what it has not yet read of a rank's output.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OUTPUT_TIME);
    }
    mpi.abort(mpi.handles.world, code);
    process.exit(code);
  };
  // Node writes an uncaught error after the event "exit", which this process does not outlive.
  let uncaught: string | undefined;
  const onUncaught = (error: unknown) => {
    uncaught = error instanceof Error ? (error.stack ?? error.message) : String(error);
  };
  // MPICH gives a job in which one rank ends early and well the status 0, with half of the work undone.
  const onExit = (code: number) => {
    const early = code === 0 ? "ended without closing its communicator" : undefined;
    if (held) abort(code || ENDED_EARLY, uncaught ?? early);
  };
  process.on("uncaughtExceptionMonitor", onUncaught);
  process.on("exit", onExit);
  const release = () => {
    held = false;
    process.removeListener("exit", onExit);
    process.removeListener("uncaughtExceptionMonitor", onUncaught);
  };
  return { abort, release };
}

/** Makes calls of one MPI function on another thread, in order. */
type Call = <P extends readonly unknown[]>(
  name: string,
  routine: Foreign<P>,
  pieces: () => Iterable<P>,
) => Promise<void>;

/**
 * Runs exchanges one after the other, each under the watchdog. Two at once would overtake one another on their threads, and ranks would add
 * what does not belong together.
 */
function oneByOne(
  mpi: MpiLibrary,
  { timeoutMs, abort }: { readonly timeoutMs: number; readonly abort: (code: number, reason: string) => never },
): Call {
  const queue = makeQueue();
  return (name, routine, pieces) =>
    queue(async () => {
      const silent = () =>
        abort(SILENT_RANK, `waited ${timeoutMs} ms in ${name}: some rank hangs or is that much slower (timeoutMs)`);
      const watchdog = timeoutMs <= LONGEST_DELAY ? setTimeout(silent, timeoutMs) : undefined;
      try {
        for (const piece of pieces()) check(mpi, name, await onThread(routine, piece));
      } finally {
        clearTimeout(watchdog);
      }
    });
}

function onThread<P extends readonly unknown[]>(routine: Foreign<P>, parameters: P): Promise<number> {
  return new Promise((resolve, reject) => {
    routine.async(...parameters, (error, code) => (error ? reject(error) : resolve(code)));
  });
}

function exchanges(
  mpi: MpiLibrary,
  { size, call }: { readonly size: number; readonly call: Call },
): Pick<Communicator, "allReduce" | "allGather" | "broadcast"> {
  const { handles, abi } = mpi;
  const { world } = handles;
  const typeOf = (values: Numbers) => (values instanceof Float64Array ? handles.float64 : handles.float32);
  return {
    async allReduce(values, operation = "sum") {
      const type = typeOf(values);
      await call("MPI_Allreduce", mpi.allReduce, () =>
        pieces(values).map((piece) => [abi.inPlace, piece, piece.length, type, handles[operation], world] as const),
      );
      return values;
    },
    async broadcast(values, root = 0) {
      checkRoot(root, size);
      const type = typeOf(values);
      await call("MPI_Bcast", mpi.broadcast, () =>
        pieces(values).map((piece) => [piece, piece.length, type, root, world] as const),
      );
      return values;
    },
    async allGather(own, into) {
      checkGathered(own, into, size);
      const type = typeOf(own);
      await call("MPI_Allgather", mpi.allGather, () => gatheredPieces(own, into, { type, size, world }));
      return into;
    },
  };
}

/** Parameters of the exchanges of `allGather`. */
function* gatheredPieces(
  own: Numbers,
  into: Numbers,
  { type, size, world }: { readonly type: Handle; readonly size: number; readonly world: Handle },
): Iterable<Parameters<MpiLibrary["allGather"]>> {
  if (own.length <= PIECE) {
    yield [own, own.length, type, into, own.length, type, world];
    return;
  }
  // A piece of all ranks is gathered into an array of its own, since MPI puts pieces of several ranks side by side.
  let start = 0;
  for (const piece of pieces(own)) {
    const gathered = new (own.constructor as Float64ArrayConstructor)(size * piece.length);
    yield [piece, piece.length, type, gathered, piece.length, type, world];
    for (let each = 0; each < size; each++) {
      into.set(gathered.subarray(each * piece.length, (each + 1) * piece.length), each * own.length + start);
    }
    start += piece.length;
  }
}

/** Views of at most `PIECE` elements. */
function pieces(values: Numbers): readonly Numbers[] {
  return Array.from({ length: Math.ceil(values.length / PIECE) }, (_, i) =>
    values.subarray(i * PIECE, (i + 1) * PIECE),
  );
}

function checkRoot(root: number, size: number): void {
  if (Number.isInteger(root) && root >= 0 && root < size) return;
  throw new CurvatureError("argument", `broadcast expects a root from 0 to ${size - 1}, got ${root}`);
}

function checkGathered(own: Numbers, into: Numbers, size: number): void {
  if (into.length === size * own.length && into.constructor === own.constructor) return;
  throw new CurvatureError(
    "shape",
    `allGather expects an array of the same kind for ${size} times ${own.length} entries, got a ${into.constructor.name} of ${into.length}`,
  );
}

function noticesOf(): readonly string[] {
  const [allowed, present] = [availableParallelism(), cpus().length];
  if (allowed > 1 || present === 1) return [];
  return [
    `This rank may use one of ${present} processors, to which the launcher bound it, so that more threads gain nothing. Open MPI does so for few ranks: start them with --bind-to none, or --map-by ppr:1:node:pe=N.`,
  ];
}
