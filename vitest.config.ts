import { defineConfig } from 'vitest/config';

const soak = process.env.ONCEGATE_SOAK === 'true';

export default defineConfig({
  test: {
    include: soak
      ? ['test/soak/**/*.soak.ts', 'test/fleet/fuzz.test.ts', 'test/fleet/handshake-fuzz.test.ts']
      : ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Two cores: more workers than that only make the tests that start servers wait for each other.
    maxWorkers: 2,
  },
});
