/** The names of an MPI library that have values: what a caller of its binary interface (ABI) must pass. */
export interface Abi {
  readonly name: string;
  /** Type of handles in C: an int, or an integer of a pointer's size. */
  readonly handle: "int" | "intptr_t";
  /** Value of each handle: a number, or the symbol of the library whose address it is. */
  readonly handles: { readonly [name in HandleName]: number | string };
  /** `MPI_IN_PLACE`, a pointer. */
  readonly inPlace: number;
  readonly threads: { readonly serialized: number; readonly multiple: number };
}

/** Handles that the communicator uses. */
export type HandleName = "world" | "float32" | "float64" | "sum" | "max" | "errorsReturn";

/** Open MPI 4, 5 and 6 under its own name, libmpi.so.40: handles are addresses of the library's objects (its mpi.h). */
const openMpi: Abi = {
  name: "Open MPI",
  handle: "intptr_t",
  handles: {
    world: "ompi_mpi_comm_world",
    float32: "ompi_mpi_float",
    float64: "ompi_mpi_double",
    sum: "ompi_mpi_op_sum",
    max: "ompi_mpi_op_max",
    errorsReturn: "ompi_mpi_errors_return",
  },
  inPlace: 1,
  threads: { serialized: 2, multiple: 3 },
};

/** The MPICH ABI Compatibility Initiative (2013): MPICH, Intel MPI, MVAPICH and Cray MPI as libmpi.so.12. */
const mpich: Abi = {
  name: "MPICH",
  handle: "int",
  handles: {
    world: 0x44000000,
    float32: 0x4c00040a,
    float64: 0x4c00080b,
    sum: 0x58000003,
    max: 0x58000001,
    errorsReturn: 0x54000001,
  },
  inPlace: -1,
  threads: { serialized: 2, multiple: 3 },
};

/**
 * The standard ABI of MPI 5.0 (2025, chapter 20), libmpi_abi.so.1 of MPICH 5 and Open MPI 6. Values are those of the released mpi_abi.h.
 * MPI_ERRORS_RETURN is 0x143 there; 0x142, in drafts, is MPI_ERRORS_ABORT.
 */
const standard: Abi = {
  name: "the standard ABI of MPI 5",
  handle: "intptr_t",
  handles: { world: 0x101, float32: 0x210, float64: 0x214, sum: 0x21, max: 0x23, errorsReturn: 0x143 },
  inPlace: 1,
  threads: { serialized: 2048, multiple: 4096 },
};

/**
 * The ABI of a library. The standard's is told by the file's name, since such a library may load another that has Open MPI's symbols.
 *
 * @param has whether the library has a symbol
 */
export function abiOf(file: string, has: (symbol: string) => boolean): Abi {
  if (/libmpi_abi[^/\\]*$/.test(file)) return standard;
  return has("ompi_mpi_comm_world") ? openMpi : mpich;
}
