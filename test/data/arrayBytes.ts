export interface NpyParts {
  readonly descr: string;
  readonly dims: readonly number[];
  readonly elements: Uint8Array;
  readonly fortran?: boolean;
  readonly version?: 1 | 2 | 3;
}

/** An NPY file as numpy.lib.format describes it: magic, version, length, padded dictionary, elements. */
export function npyBytes({ descr, dims, elements, fortran = false, version = 1 }: NpyParts): Uint8Array {
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(", ")})`;
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const padded = `${text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1)}\n`;
  const bytes = new Uint8Array(start + padded.length + elements.length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), start);
  bytes.set(elements, start + padded.length);
  return bytes;
}

/** Bytes of numbers, one at a time, by a setter of DataView. */
export function elementBytes(
  values: readonly number[],
  size: number,
  set: (view: DataView, offset: number, value: number) => void,
): Uint8Array {
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    set(view, i * size, value);
  });
  return bytes;
}

/** NPY file of float32, little-endian. */
export function float32Npy(dims: readonly number[], values: readonly number[]): Uint8Array {
  const elements = elementBytes(values, 4, (view, offset, value) => view.setFloat32(offset, value, true));
  return npyBytes({ descr: "<f4", dims, elements });
}

/** NPY file of int64, little-endian. */
export function int64Npy(dims: readonly number[], values: readonly number[]): Uint8Array {
  const elements = elementBytes(values, 8, (view, offset, value) => view.setBigInt64(offset, BigInt(value), true));
  return npyBytes({ descr: "<i8", dims, elements });
}

/** IDX file of bytes. */
export function byteIdx(dims: readonly number[], values: readonly number[]): Uint8Array {
  const header = elementBytes(dims, 4, (view, offset, dim) => view.setUint32(offset, dim));
  return Uint8Array.from([0, 0, 8, dims.length, ...header, ...values]);
}
