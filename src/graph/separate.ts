let apart = false;

/**
 * Runs `work` with the operations that it applies kept apart: no rewrite moves the numbers of one operation into another, so that each
 * place where a parameter enters stays visible. Values are the same up to rounding, and may cost more.
 */
export function withOperationsApart<T>(work: () => T): T {
  const before = apart;
  apart = true;
  try {
    return work();
  } finally {
    apart = before;
  }
}

/** Whether rewrites across operations are to be left out. */
export function areOperationsApart(): boolean {
  return apart;
}
