/**
 * Why a counterpart could not be asked, for the operator's log. It repeats nothing of what the counterpart sent: that
 * may be about a caller.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  // The message of a SyntaxError quotes the text. `cause` has the reason of a failed fetch.
  if (error instanceof SyntaxError || error.cause instanceof SyntaxError) return 'its answer is not JSON';
  if (error.cause instanceof Error) return `${error.message}: ${reasonOf(error.cause)}`;
  // An OAuth error (RFC 6749 §5.2), such as invalid_client.
  return 'error' in error && typeof error.error === 'string' ? `${error.message}: ${error.error}` : error.message;
}
