import { type ReloadedFile, reloadedFile } from '../../../shared/files/reloaded-file.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Rule } from '../../../shared/settings/load.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { type Policy, parsePolicy } from './policy.ts';

/** Reports every fault of the policy file, with its path in the file. */
export const policyRule: Rule = ({ policyFile }) => {
  const parsed = policyFile && parsePolicy(policyFile.content);
  return parsed?.ok === false ? parsed.faults.map((fault) => `POLICY_FILE: ${fault}`) : [];
};

/** The ticket policy in force. It is read at the start and on SIGHUP. */
export function watchPolicy({ policyFile }: Settings, log: Logger): ReloadedFile<Policy | undefined> {
  if (policyFile === undefined) return { current: () => undefined, end: () => {} };
  return reloadedFile<Policy>({ setting: 'POLICY_FILE', file: policyFile, parse: parsePolicy, log });
}
