import { readFileSync } from 'node:fs';
import type { Logger } from '../../shared/process/log.ts';
import type { Rule } from '../../shared/settings/load.ts';
import type { Settings } from '../../shared/settings/table.ts';
import type { ParsedFile } from '../../shared/watched-file.ts';
import { type Policy, parsePolicy } from './policy.ts';

/** Every fault of the policy file, with its path in the file. */
export const policyRule: Rule = ({ policyFile }) => {
  const parsed = policyFile && parsePolicy(policyFile.content);
  return parsed?.ok === false ? parsed.faults.map((fault) => `POLICY_FILE: ${fault}`) : [];
};

/** The ticket policy that is in force. */
export interface WatchedPolicy {
  current(): Policy | undefined;
  /** Hears no more signals. */
  end(): void;
}

/** Reads the ticket policy at start, and again on SIGHUP. A bad new file changes nothing, and says so. */
export function watchPolicy({ policyFile }: Settings, log: Logger): WatchedPolicy {
  if (policyFile === undefined) return { current: () => undefined, end: () => {} };
  const { path } = policyFile;
  const initial = parsePolicy(policyFile.content);
  if (!initial.ok) throw new Error('the policy file was not checked before the start');
  let policy = initial.value;

  const reload = (): void => {
    const parsed = readPolicy(path);
    if (parsed.ok) policy = parsed.value;
    const outcome = parsed.ok ? { event: 'policy_loaded' } : { event: 'file_refused', faults: parsed.faults };
    log[parsed.ok ? 'info' : 'error']({ ...outcome, setting: 'POLICY_FILE' });
  };
  process.on('SIGHUP', reload);
  return { current: () => policy, end: () => void process.off('SIGHUP', reload) };
}

function readPolicy(path: string): ParsedFile<Policy> {
  try {
    return parsePolicy(readFileSync(path, 'utf8'));
  } catch {
    return { ok: false, faults: ['cannot be read'] };
  }
}
