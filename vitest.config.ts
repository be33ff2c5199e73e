import { defineConfig } from 'vitest/config';

/** What a test file needs beyond Node, said by its name: `x.service.test.ts`. A plain `x.test.ts` is a unit test. */
const needs = ['service', 'browser', 'slow'];

const named = (need: string): string => `test/**/*.${need}.test.ts`;

export default defineConfig({
  test: {
    // No verdict about the product hangs on these two: they end a test that waits for ever.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores: more workers than that only make the tests that start servers wait for each other.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: needs.map(named) } },
      ...needs.map((need) => ({ extends: true as const, test: { name: need, include: [named(need)] } })),
    ],
  },
});
