import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** How many inputs an attack test tries; one if it does not say. */
    inputs?: number;
  }
}

/** Says how many inputs a test tries, for `npm run attack`. */
export function tried({ task }: TestContext, inputs: number): void {
  task.meta.inputs = inputs;
}
