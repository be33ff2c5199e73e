import { defineConfig } from 'vitest/config';

/** What a test file needs beyond Node is in its name: `x.service.test.ts`. A plain `x.test.ts` is a unit test. */
const needs = ['service', 'browser', 'slow'];

const filesOf = (need: string): string => `test/**/*.${need}.test.ts`;

export default defineConfig({
  test: {
    // Far from every limit: they end a test that would wait for ever, and say nothing about the product.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Two cores: with more workers the tests that start servers only wait for each other.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: needs.map(filesOf) } },
      ...needs.map((need) => ({
        extends: true as const,
        test: { name: need, include: [filesOf(need)], globalSetup: 'scripts/lib/test-setup.mjs' },
      })),
    ],
  },
});
