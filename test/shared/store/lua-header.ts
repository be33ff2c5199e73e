import { readFileSync } from 'node:fs';
import type { Reply } from '../../../shared/store/redis/replies.ts';
import type { ScriptName } from '../../../shared/store/scripts.ts';

/** A Lua script: what its header says, and its body. */
export interface Script {
  readonly name: string;
  /** The comment at the top. */
  readonly header: string;
  readonly body: string;
  /** Numbers of the KEYS in the header, and whether the last stands for several. */
  readonly keys: readonly number[];
  readonly moreKeys: boolean;
  readonly values: readonly number[];
  readonly moreValues: boolean;
  /** The outcomes that the header lists under Returns, as {@link outcomeOf} names them. */
  readonly outcomes: readonly string[];
}

/** Scripts whose replies begin with no outcome: they found something or did not. */
export const unnamedOutcomes: Readonly<Record<string, readonly [found: string, notFound: string]>> = {
  read: ['a record', 'no record'],
  list: ['a record', 'no record'],
  count: ['a count', 'no count'],
};

export function parseScript(name: string): Script {
  const source = readFileSync(new URL(`../../../shared/store/scripts/${name}.lua`, import.meta.url), 'utf8');
  const [, header = '', body = ''] = /^--\[\[(.*?)\]\](.*)$/s.exec(source) ?? [];
  const returns = /^ {2}Returns$(.*)/ms.exec(header)?.[1] ?? '';
  const numbersOf = (array: string): number[] =>
    [...header.matchAll(new RegExp(`^ {2}${array}\\[(\\d+)\\]`, 'gm'))].map((match) => Number(match[1]));
  return {
    name,
    header,
    body,
    keys: numbersOf('KEYS'),
    moreKeys: /^ {2}KEYS\[\d+\] +and on:/m.test(header),
    values: numbersOf('ARGV'),
    moreValues: /^ {2}ARGV\[\d+\] +and on:/m.test(header),
    outcomes: unnamedOutcomes[name] ?? outcomesIn(returns),
  };
}

/** `{'held', ...}` names one outcome; `{'ended', reason}   'revoked' or 'replaced'` names two. */
function outcomesIn(returns: string): string[] {
  return [...returns.matchAll(/\{'(\w+)'(?:, reason\} +'(\w+)' or '(\w+)')?/g)].flatMap(([, code = '', ...reasons]) => {
    const stated = reasons.filter((reason) => reason !== undefined);
    return stated.length === 0 ? [code] : stated.map((reason) => `${code} ${reason}`);
  });
}

/** The outcome that a script returned, as its header names it. */
export function outcomeOf(name: ScriptName, reply: Reply): string {
  if (!Array.isArray(reply)) return `not a list: ${String(reply)}`;
  const [found, notFound] = unnamedOutcomes[name] ?? [];
  if (found !== undefined && notFound !== undefined) {
    const least = { read: 2, list: 1 }[name as string];
    return (least === undefined ? Number(reply[0]) > 0 : reply.length > least) ? found : notFound;
  }
  return name === 'lease' && reply[0] === 'ended' ? reply.join(' ') : String(reply[0]);
}
