/** The headers of a request by name in lower case, each with its values in their order. */
export type HeaderGroups = ReadonlyMap<string, readonly string[]>;

/** @param rawHeaders names and values in turn, as they were sent */
export function groupHeaders(rawHeaders: readonly string[]): HeaderGroups {
  const groups = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase();
    const value = String(rawHeaders[index + 1]);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [value]);
    else group.push(value);
  }
  return groups;
}

/** The number of headers, repeated ones included. */
export function countHeaders(headers: HeaderGroups): number {
  let count = 0;
  for (const values of headers.values()) count += values.length;
  return count;
}

/** The value of a header; undefined if there is none, or more than one. */
export function onlyOne(headers: HeaderGroups, name: string): string | undefined {
  const values = headers.get(name);
  return values?.length === 1 ? values[0] : undefined;
}
