/** The consume request of a gateway without limits and bindings. */
export function consumeRequest({ id, secretSha256, attemptId }) {
  return {
    id,
    secretSha256,
    attemptId,
    gatewayId: 'bench',
    path: '/',
    bindAddress: false,
    maxConnections: 0,
    limitPolicy: 'refuse',
  };
}
