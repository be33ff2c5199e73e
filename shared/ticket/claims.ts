/** The claims of a ticket: a JSON object. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_BYTES = 4_096;
const MAX_DEPTH = 32;

/** Keys with which a careless merge in a back end would change a prototype. */
const FORBIDDEN_KEYS = ['__proto__', 'constructor', 'prototype'];

/** JSON.parse has changed a larger integer, and made infinite what a double cannot hold: JSON.stringify writes null. */
const INEXACT = `must not have a number beyond ±${Number.MAX_SAFE_INTEGER}; send it as a string`;

/** Why a value cannot be the claims of a ticket; undefined if it can. */
export function claimsFault(claims: unknown): string | undefined {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return 'must be a JSON object';
  if (!withinDepth(claims, MAX_DEPTH)) return `must not be nested deeper than ${MAX_DEPTH} levels`;
  if (hasForbiddenKey(claims)) return `must not have a key named ${FORBIDDEN_KEYS.join(', ')}`;
  if (hasInexactNumber(claims)) return INEXACT;
  if (Buffer.byteLength(JSON.stringify(claims)) > MAX_BYTES) return `must be at most ${MAX_BYTES} bytes as JSON`;
  return undefined;
}

/** Whether a value may be the claims of a ticket. */
export function isClaims(value: unknown): value is Claims {
  return claimsFault(value) === undefined;
}

function hasInexactNumber(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInexactNumber);
}

function withinDepth(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => withinDepth(item, levels - 1));
}

function hasForbiddenKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, item]) => FORBIDDEN_KEYS.includes(key) || hasForbiddenKey(item));
}
