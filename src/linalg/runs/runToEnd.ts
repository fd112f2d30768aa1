/** Runs an iterative method to its end and gives its result; what it yields on the way is let go. */
export async function runToEnd<R>(steps: AsyncGenerator<unknown, R, void>): Promise<R> {
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}
