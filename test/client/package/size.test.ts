import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const LIMIT_BYTES = 5_530;

test(`the client is at most ${LIMIT_BYTES} bytes, minified and gzipped`, async () => {
  const bundle = await rolldown({ input: 'client/index.ts', platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  expect(output).toHaveLength(1);
  const [{ code, imports, exports }] = output;
  expect(imports).toEqual([]);
  expect(exports.toSorted()).toEqual(['ConnectRefused', 'ConnectionEnded', 'OncegateSocket', 'connect']);

  const bytes = gzipSync(code, { level: 9 }).length;
  console.log(`oncegate/client: ${code.length} bytes minified, ${bytes} gzipped`);
  expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES);
});
