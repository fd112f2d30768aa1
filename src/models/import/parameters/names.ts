/** The last part of a module's path: `weight` of `encoder.0.weight`. */
export function ownName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** The module that a tensor belongs to: `encoder.0` of `encoder.0.weight`; "" for the outermost. */
export function moduleOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("."), 0));
}

const PARAMETER =
  /^(weight|bias)(_[gv]|_(ih|hh|hr)(_l\d+)?(_reverse)?|_ih|_hh|_orig)?$|^(in_proj|out_proj|[qkv]_proj)_(weight|bias)$|^bias_[kv]$|^original\d*$/;

const BUFFER =
  /^(running_(mean|var)|num_batches_tracked|moving_(mean|variance)|inv_freq|position_ids|.*_?(buffer|mask))$/;

/** Whether PyTorch's own modules call a parameter so, by the last part of its name. */
export function isParameterName(path: string): boolean {
  return PARAMETER.test(ownName(path));
}

/** Whether frameworks call a buffer so: running statistics, masks, positions. */
export function isBufferName(path: string): boolean {
  return BUFFER.test(ownName(path));
}

/** Whether a tensor is one of the vectors `weight_u` and `weight_v` of spectral normalization, beside `weight_orig`. */
export function isPowerIteration(
  name: string,
  constants: ReadonlyMap<string, { readonly dims: readonly number[] }>,
): boolean {
  const stem = name.replace(/_[uv]$/, "");
  return stem !== name && constants.has(`${stem}_orig`) && constants.get(name)?.dims.length === 1;
}
