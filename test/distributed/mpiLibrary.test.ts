import { afterEach, expect, test, vi } from "vitest";
import { abiOf } from "../../src/distributed/mpi/abi.ts";
import { mpiCommunicator } from "../../src/distributed/mpi/index.ts";
import { launcherOf } from "../../src/distributed/mpi/launcher.ts";

afterEach(() => {
  vi.doUnmock("koffi");
  vi.resetModules();
});

test("a library's binary interface is told by its file and its symbols", () => {
  const openMpi = (symbol: string) => symbol === "ompi_mpi_comm_world";
  expect(abiOf("libmpi.so.40", openMpi).name).toBe("Open MPI");
  expect(abiOf("/opt/intel/libmpi.so.12", () => false).name).toBe("MPICH");
  expect(abiOf("/usr/lib/libmpi_abi.so.1", openMpi).name).toBe("the standard ABI of MPI 5");
});

test("the innermost launcher counts", () => {
  expect(launcherOf({})).toBeUndefined();
  expect(launcherOf({ PMI_SIZE: "3" })).toMatchObject({ size: 3, kind: "mpich" });
  const slurm = { SLURM_STEP_NUM_TASKS: "2" };
  expect(launcherOf(slurm)).toMatchObject({ name: "Slurm's srun", size: 2 });
  expect(launcherOf({ ...slurm, OMPI_COMM_WORLD_SIZE: "8" })).toMatchObject({ size: 8, kind: "openMpi" });
  expect(launcherOf({ PMI_SIZE: "many" })).toBeUndefined();
});

test("what the communicator cannot take is refused before MPI starts", async () => {
  await expect(mpiCommunicator({ timeoutMs: 0 })).rejects.toThrow(
    "mpiCommunicator expects timeoutMs to be positive, got 0",
  );
  await expect(mpiCommunicator({ threads: 2 } as never)).rejects.toThrow(
    "mpiCommunicator got the unknown option `threads`",
  );
});

test("without koffi, and with a koffi whose threads have small stacks, it says what to do", async () => {
  vi.resetModules();
  vi.doMock("koffi", () => {
    throw new Error("Cannot find package");
  });
  const without = await import("../../src/distributed/mpi/index.ts");
  await expect(without.mpiCommunicator()).rejects.toThrow(
    "mpiCommunicator expects the optional package koffi, found none; run npm install koffi",
  );
  vi.resetModules();
  const config = () => ({ async_stack_size: 131072 });
  vi.doMock("koffi", () => ({ default: { config } }));
  const small = await import("../../src/distributed/mpi/index.ts");
  await expect(small.mpiCommunicator()).rejects.toThrow(
    /^mpiCommunicator expects koffi to have a stack of 4194304 bytes .* got 131072; call mpiCommunicator before/,
  );
});
