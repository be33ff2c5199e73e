import { describe, expect, test } from 'vitest';
import { codeBlocks, readText } from './pages.ts';

interface JestConfig {
  readonly transform: Readonly<Record<string, unknown>>;
  readonly transformIgnorePatterns: readonly string[];
}

const [recipe = ''] = codeBlocks(readText('docs/client.md'), 'cjs').filter((code) => code.includes('jest.config'));
const config = new Function('module', `${recipe}; return module.exports;`)({}) as JestConfig;

/** Whether Jest has a file translated, by the rules of its configuration. */
const isTranslated = (path: string): boolean =>
  Object.keys(config.transform).some((pattern) => new RegExp(pattern).test(path)) &&
  !config.transformIgnorePatterns.some((pattern) => new RegExp(pattern).test(path));

describe('the recipe for Jest', () => {
  test.each([
    '/app/node_modules/oncegate/lib/client/index.js',
    '/app/node_modules/oncegate/lib/client/socket/socket.js',
    '/app/node_modules/.pnpm/oncegate@0.1.0/node_modules/oncegate/lib/client/index.js',
    '/app/packages/web/node_modules/oncegate/lib/shared/refusals.js',
    '/app/src/chat.test.js',
  ])('has %s translated', (path) => {
    expect(isTranslated(path)).toBe(true);
  });

  test.each([
    '/app/node_modules/express/index.js',
    '/app/node_modules/oncegate-else/index.js',
    '/app/node_modules/.pnpm/ws@8.23.0/node_modules/ws/index.js',
    '/app/node_modules/.pnpm/else@1.0.0_oncegate@0.1.0/node_modules/else/index.js',
  ])('leaves %s as it is', (path) => {
    expect(isTranslated(path)).toBe(false);
  });
});
