import { attackKinds } from './attack-kinds.mjs';

/**
 * What a run of the attack tests says: a line for each kind, and whether nothing opened and no kind was left out.
 *
 * @param {ReadonlyArray<{ path: string, tests: ReadonlyArray<{ status: string, fullName: string, meta?: { inputs?: number } }> }>} files
 * @param {{ fast?: boolean }} [options] `fast`: a kind that is tried by slow tests only may be left out
 */
export function resultOf(files, { fast = false } = {}) {
  let good = true;
  const lines = Object.entries(attackKinds).flatMap(([kind, paths]) => {
    if (fast && paths.every(isSlow)) return [];
    const tests = files.filter(({ path }) => paths.includes(path)).flatMap((file) => file.tests);
    const ran = tests.filter(({ status }) => status === 'passed' || status === 'failed');
    const failed = ran.filter(({ status }) => status === 'failed');
    const inputs = ran.reduce((sum, { meta }) => sum + (meta?.inputs ?? 1), 0);
    if (inputs === 0 || failed.length > 0) good = false;
    const opened = failed.length === 0 ? 'nothing opened' : `OPENED, or was answered wrongly: ${failed.length}`;
    const line = inputs === 0 ? `${kind}: NOT TRIED` : `${kind}: ${inputs} inputs, ${opened}`;
    return [line, ...failed.map(({ fullName }) => `  ${fullName}`)];
  });
  return { lines, good };
}

function isSlow(path) {
  return path.endsWith('.slow.test.ts');
}
