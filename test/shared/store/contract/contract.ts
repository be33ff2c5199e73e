import { beforeAll, describe } from 'vitest';
import { bindingContract } from './binding.ts';
import { consumeContract } from './consume.ts';
import { controlContract } from './control.ts';
import { countContract } from './count.ts';
import { endingContract } from './ending.ts';
import type { Harness } from './harness.ts';
import { historyContract } from './history.ts';
import { issueContract } from './issue.ts';
import { leaseContract } from './lease.ts';
import { limitContract } from './limit.ts';
import { listContract } from './list.ts';
import { refuseContract } from './refuse.ts';
import { sameDigestContract } from './same-digest.ts';

/** The contract of every store, wherever it keeps its records. */
export function describeStore(name: string, createHarness: () => Promise<Harness>): void {
  describe(name, () => {
    let harness: Harness;
    beforeAll(async () => {
      harness = await createHarness();
    });
    const current = (): Harness => harness;

    issueContract(current);
    consumeContract(current);
    bindingContract(current);
    limitContract(current);
    refuseContract(current);
    endingContract(current);
    leaseContract(current);
    listContract(current);
    sameDigestContract(current);
    historyContract(current);
    controlContract(current);
    countContract(current);
  });
}
