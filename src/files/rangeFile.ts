/** A file of which any range can be read. */
export interface RangeFile {
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes from `offset` on, fewer at the end of the file. */
  range(offset: number, length: number): Promise<Uint8Array>;
}
