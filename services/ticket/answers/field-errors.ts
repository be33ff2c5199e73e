import type { z } from 'zod';
import { nearestOf } from '../../../shared/nearest.ts';
import type { FieldError } from '../../../shared/refusals.ts';

/** A longer name is not repeated. No field has one. */
const MAX_NAME_LENGTH = 64;
/** Attack: a body of thousands of unknown fields would get an answer larger than itself. */
const MAX_UNKNOWN = 16;

/**
 * What is wrong with a body, field by field. An unknown field is named in its pointer, never in words: what the client
 * sent is encoded there.
 *
 * @param known the fields that there are, of which the nearest is suggested
 */
export function fieldErrors({ issues }: z.ZodError, known: readonly string[]): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    if (issue.code !== 'unrecognized_keys') return [{ pointer: pointerTo(issue.path), detail: issue.message }];
    return issue.keys.slice(0, MAX_UNKNOWN).map((name) => ({
      pointer: pointerTo([...issue.path, name]),
      detail: `is not known; ${suggestion(name, known)}`,
    }));
  });
}

/** A JSON Pointer as a URI fragment (RFC 6901 §6). It ends in front of a name that is too long. */
export function pointerTo(path: readonly PropertyKey[]): string {
  const names = path.map(String);
  const long = names.findIndex((name) => name.length > MAX_NAME_LENGTH);
  const parts = (long === -1 ? names : names.slice(0, long)).map((name) =>
    encodeURIComponent(name.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  return ['#', ...parts].join('/');
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestOf(name, known);
  const all = `the fields are ${known.join(', ')}`;
  return nearest === undefined ? all : `did you mean ${nearest}? Otherwise ${all}`;
}
