import { beforeAll, describe } from 'vitest';
import { bindingContract } from './contract-binding.ts';
import { consumeContract } from './contract-consume.ts';
import { controlContract } from './contract-control.ts';
import { countContract } from './contract-count.ts';
import { endingContract } from './contract-ending.ts';
import { issueContract } from './contract-issue.ts';
import { leaseContract } from './contract-lease.ts';
import { limitContract } from './contract-limit.ts';
import { listContract } from './contract-list.ts';
import { refuseContract } from './contract-refuse.ts';
import type { Harness } from './harness.ts';

/** What every store has to do, whatever it keeps its records in. */
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
    controlContract(current);
    countContract(current);
  });
}
