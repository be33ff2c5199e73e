/**
 * THE table of attack tests: each kind of attack, and the test files that try it. Those that are not slow run with
 * `npm test` too. A test that tries more than one input says how many (test/support/hostile/tried.ts).
 */
export const attackKinds = {
  'malformed and smuggled handshakes': [
    'test/services/gateway/fronts/refusals.service.test.ts',
    'test/services/gateway/admission/handshake.test.ts',
    'test/services/unread-requests.test.ts',
  ],
  'random handshakes': ['test/fleet/handshake-fuzz.slow.test.ts', 'test/fleet/fuzz.slow.test.ts'],
  'paths with two readings': [
    'test/shared/ticket/path.test.ts',
    'test/services/gateway/admission/path-corpus.service.test.ts',
  ],
  'headers that are dropped or forged': [
    'test/services/whole-head.test.ts',
    'test/services/gateway/upstream/heads.test.ts',
  ],
  'hosts and origins of others': [
    'test/services/gateway/admission/allowed-hosts.test.ts',
    'test/services/gateway/admission/origin-rule.test.ts',
    'test/services/gateway/admission/self-origin.test.ts',
    'test/shared/ticket/origin-list.test.ts',
  ],
  'requests of other sites (CSRF, CORS)': [
    'test/services/ticket/sign-in/csrf.test.ts',
    'test/services/ticket/fronts/cors.test.ts',
  ],
  'forged JWTs': ['test/services/ticket/authenticators/tokens/jwt-attacks.service.test.ts'],
  'tickets used twice': ['test/fleet/race.slow.test.ts'],
  'the gate used wrongly': [
    'test/services/gateway/fronts/embed-misuse.test.ts',
    'test/services/gateway/fronts/embed-libraries.service.test.ts',
  ],
};
