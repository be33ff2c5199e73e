/**
 * Whether every server reads a path alike. A gateway and a policy judge a path by its text; a proxy or a back end
 * behind them may decode, resolve or cut it first, and serve another path than the one that was judged. So a path
 * that has two readings is refused wherever a path comes in.
 */

/** Paths without any character that could be read in two ways: most of them, and the check is cheap. */
const PLAIN = /^\/(?:[\w~-][\w.~-]*(?<!\.)(?:\/(?=[\w~-]|$)|$))*$/;

/** Visible ASCII without `?`, `#` and `\`. Other characters must be percent-encoded (RFC 3986 section 2). */
export const PATH_CHARACTERS = /^\/[!-"$->@-[\]-~]*$/;

/** What a path without these characters is told. */
export const PATH_FORM =
  'must begin with a slash and be visible ASCII without ?, # and \\; other characters percent-encoded';

/** Each is a way to write a path that some servers read as another one. The first that matches is the reason. */
const TWO_READINGS: ReadonlyArray<readonly [form: RegExp, reason: string]> = [
  [/\/\//, 'must not have an empty segment'],
  [/%(?![0-9a-f]{2})/i, 'must not have a % without two hexadecimal digits'],
  // RFC 3986 section 2.3: encoded and plain, these are the same character.
  [
    /%(?:2[de]|3\d|[46][1-9a-f]|[57][0-9a]|5f|7e)/i,
    'must not have a percent-encoded letter, digit, hyphen, period, underscore or tilde',
  ],
  [/%(?:2f|5c)/i, 'must not have a percent-encoded slash or backslash'],
  [/%25(?:[0-9a-f]{2}|u[0-9a-f]{4})/i, 'must not be percent-encoded twice'],
  [/\/\.{1,2}(?=\/|$)/, 'must not have a . or .. segment'],
  // Java servers cut a segment at its semicolon: `/..;/admin` is `/../admin` there, and `/;/admin` is `//admin`.
  [/\/\.*(?:;|%3b)/i, 'must not have a segment of which only dots, or nothing, is left before a semicolon'],
];

const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Why a path is refused, as the rest of a sentence: "must ...". Pure; takes linear time.
 *
 * @param path the path of a request target (RFC 9112 section 3.2.1), without a query; or a pattern of such paths
 * @returns undefined where every server reads the path alike
 */
export function pathFault(path: string): string | undefined {
  if (PLAIN.test(path)) return undefined;
  if (!PATH_CHARACTERS.test(path)) return PATH_FORM;
  const [, reason] = TWO_READINGS.find(([form]) => form.test(path)) ?? [];
  if (reason !== undefined) return reason;
  const decoded = decode(path);
  if (decoded === undefined) return 'must be percent-encoded UTF-8';
  return CONTROL_CHARACTER.test(decoded) ? 'must not have a percent-encoded control character' : undefined;
}

/**
 * The path as a server sees it that decodes it, and cuts off its segments what some cut: path parameters (`;v=1`), and
 * periods and spaces at the end. Caddy serves `/admin.` as `/admin`, as file systems of Windows do. Where it leads
 * elsewhere than its text, the two readings have to be judged alike.
 *
 * @param path one without {@link pathFault}
 */
export function decodedPath(path: string): string {
  if (PLAIN.test(path)) return path;
  const cut = path.replaceAll(/(?:;|%3b)[^/]*/gi, '');
  return (decode(cut) ?? cut).replaceAll(/(?<=[^. /])[. ]+(?=\/|$)/g, '');
}

/** Percent-encoded octets decoded as UTF-8; undefined where they are none (RFC 3629: overlong forms are none). */
function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
