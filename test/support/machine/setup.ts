import { afterAll, vi } from 'vitest';
import { endFile } from './teardown.ts';

// Vitest runs this before each test file, also where files share their modules.
afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await endFile();
});
