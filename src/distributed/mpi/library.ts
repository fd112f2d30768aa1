import { CurvatureError } from "../../errors/index.ts";
import { FOREIGN_STACK, foreignFunctions, type Koffi } from "../../foreign/index.ts";
import { type Abi, abiOf, type HandleName } from "./abi.ts";
import type { Launcher } from "./launcher.ts";

/** Result of an MPI function: 0, or an error code. */
type Code = number;
/** What MPI may be told the address of. */
export type Bytes = Uint8Array | Int32Array | Float32Array | Float64Array;
/** A handle of MPI: an integer. */
export type Handle = number | bigint;

/** A function that runs on this thread, or on another one through `async`. */
export interface Foreign<P extends readonly unknown[]> {
  (...parameters: P): Code;
  readonly async: (...parameters: readonly [...P, (error: unknown, code: Code) => void]) => void;
}

/** The functions of MPI that the communicator calls, and the values that it passes. */
export interface MpiLibrary {
  readonly file: string;
  readonly abi: Abi;
  readonly handles: { readonly [name in HandleName]: Handle };
  readonly initThread: Foreign<readonly [argc: null, argv: null, required: number, provided: Int32Array]>;
  readonly setErrorHandler: Foreign<readonly [world: Handle, handler: Handle]>;
  readonly commRank: Foreign<readonly [world: Handle, rank: Int32Array]>;
  readonly commSize: Foreign<readonly [world: Handle, size: Int32Array]>;
  readonly allReduce: Foreign<
    readonly [inPlace: number, values: Bytes, count: number, type: Handle, operation: Handle, world: Handle]
  >;
  readonly allGather: Foreign<
    readonly [own: Bytes, count: number, type: Handle, into: Bytes, intoCount: number, intoType: Handle, world: Handle]
  >;
  readonly broadcast: Foreign<readonly [values: Bytes, count: number, type: Handle, root: number, world: Handle]>;
  readonly barrier: Foreign<readonly [world: Handle]>;
  readonly abort: Foreign<readonly [world: Handle, code: number]>;
  readonly finalize: Foreign<readonly []>;
  readonly errorString: Foreign<readonly [code: Code, text: Uint8Array, length: Int32Array]>;
  readonly libraryVersion: Foreign<readonly [text: Uint8Array, length: Int32Array]>;
}

const OPEN_MPI = ["libmpi.so.40", "libmpi.40.dylib"];
const MPICH = ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib"];
const STANDARD = ["libmpi_abi.so.1", "libmpi_abi.1.dylib"];

/** Names to try, those that fit the launcher first. */
function candidates(launcher: Launcher | undefined): readonly string[] {
  if (launcher?.kind === "openMpi") return [...OPEN_MPI, ...STANDARD];
  if (launcher?.kind === "mpich") return [...MPICH, ...STANDARD];
  return [...STANDARD, ...OPEN_MPI, ...MPICH];
}

/**
 * Loads an MPI library.
 *
 * @param file its name or path; default: the first that the system has among those that fit the launcher
 * @throws CurvatureError "runtime" if koffi or the library is not installed, or koffi was configured for another purpose
 */
export async function loadLibrary(file: string | undefined, launcher: Launcher | undefined): Promise<MpiLibrary> {
  const koffi = await foreignFunctions().catch((cause: unknown) => {
    const message = "mpiCommunicator expects the optional package koffi, found none; run npm install koffi";
    throw new CurvatureError("runtime", message, { cause });
  });
  if ((koffi.config().async_stack_size ?? 0) < FOREIGN_STACK) {
    throw new CurvatureError(
      "runtime",
      `mpiCommunicator expects koffi to have a stack of ${FOREIGN_STACK} bytes for asynchronous calls, since MPI libraries crash with less, got ${koffi.config().async_stack_size}; call mpiCommunicator before the program loads other libraries with koffi, or set async_stack_size first`,
    );
  }
  const names = file === undefined ? candidates(launcher) : [file];
  const reasons: string[] = [];
  for (const name of names) {
    try {
      return bind(koffi, name);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  const remedy = "install openmpi-bin or mpich, or name the library by MPI_LIBRARY";
  throw new CurvatureError(
    "runtime",
    `mpiCommunicator expects an MPI library, and cannot load ${names.join(", ")} (${reasons[0]}); ${remedy}`,
  );
}

/** RTLD_NOW of dlopen, the same number on all systems that have it. */
const RESOLVE_NOW = 2;

/**
 * Opens the library once more, and for good. koffi unloads it when the process ends, before the threads that called it have ended: where Open MPI
 * exchanges over TCP, it leaves these threads a function to run at their end, which then is no longer there (each of 5 such runs crashed, after
 * all its work was done).
 */
function keepLoaded(koffi: Koffi, file: string): void {
  if (process.platform === "win32") return;
  const open = koffi.load(null).func("dlopen", "void *", ["str", "int"]);
  open(file, RESOLVE_NOW);
}

function hasSymbol(library: ReturnType<Koffi["load"]>, name: string): boolean {
  try {
    library.symbol(name);
    return true;
  } catch {
    return false;
  }
}

function bind(koffi: Koffi, file: string): MpiLibrary {
  const library = koffi.load(file);
  keepLoaded(koffi, file);
  const abi = abiOf(file, (symbol) => hasSymbol(library, symbol));
  const handles = Object.fromEntries(
    Object.entries(abi.handles).map(([name, value]) => [
      name,
      typeof value === "number" ? value : koffi.address(library.symbol(value)),
    ]),
  ) as MpiLibrary["handles"];
  const { handle } = abi;
  const declared = <P extends readonly unknown[]>(name: string, ...types: readonly string[]) =>
    library.func(name, "int", [...types]) as unknown as Foreign<P>;
  const pointer = "void *";
  return {
    file,
    abi,
    handles,
    initThread: declared("MPI_Init_thread", pointer, pointer, "int", pointer),
    setErrorHandler: declared("MPI_Comm_set_errhandler", handle, handle),
    commRank: declared("MPI_Comm_rank", handle, pointer),
    commSize: declared("MPI_Comm_size", handle, pointer),
    // MPI_IN_PLACE is no address of anything, so that it is declared as an integer.
    allReduce: declared("MPI_Allreduce", "intptr_t", pointer, "int", handle, handle, handle),
    allGather: declared("MPI_Allgather", pointer, "int", handle, pointer, "int", handle, handle),
    broadcast: declared("MPI_Bcast", pointer, "int", handle, "int", handle),
    barrier: declared("MPI_Barrier", handle),
    abort: declared("MPI_Abort", handle, "int"),
    finalize: declared("MPI_Finalize"),
    errorString: declared("MPI_Error_string", "int", pointer, pointer),
    libraryVersion: declared("MPI_Get_library_version", pointer, pointer),
  };
}
