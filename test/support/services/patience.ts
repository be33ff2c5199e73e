/** Time-outs far from every limit: a busy machine is no failure. What is about a time-out sets its own. */
export const PATIENCE = {
  OVERLOAD_DELAY_MS: '0',
  REDIS_TIMEOUT_MS: '30000',
  AUTH_TIMEOUT_MS: '30000',
  UPSTREAM_CONNECT_TIMEOUT_MS: '30000',
  UPSTREAM_HANDSHAKE_TIMEOUT_MS: '30000',
};
