import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What a test file needs beyond Node, or beyond a moment, is in its name: `x.service.test.ts`. */
const needs = ['service', 'browser', 'slow'];

const filesOf = (need: string): string => `test/**/*.${need}.test.ts`;

/** The longest first: at the end no file is left alone. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ project }: TestSpecification): number => needs.toReversed().indexOf(project.name);
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: SlowFirst },
    // Far from every limit: they end a test that would wait for ever, and say nothing about the product.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    setupFiles: 'test/support/machine/setup.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: needs.map(filesOf),
          // These only compute: more workers than cores gain nothing.
          maxWorkers: 2,
          // measured: half the CPU time. Unit tests leave nothing behind in the modules that they share.
          isolate: false,
        },
      },
      ...needs.map((need) => ({
        extends: true as const,
        test: {
          name: need,
          include: [filesOf(need)],
          globalSetup: ['scripts/lib/test-setup.mjs', 'test/support/redis/worker-servers.ts'],
          // These wait most of the time: for processes, time-outs and browsers.
          maxWorkers: 5,
          sequence: { groupOrder: 1 },
        },
      })),
    ],
  },
});
