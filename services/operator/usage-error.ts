/** A wrong command line: the exit code is 64 and the usage is printed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
