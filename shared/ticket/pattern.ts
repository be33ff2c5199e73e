/**
 * Whether a value fits a pattern, in which `*` stands for any number of characters, also none. It takes
 * linear time, so that no pattern can block the service.
 */
export function fitsPattern(value: string, pattern: string): boolean {
  const [head = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return value === pattern;
  const tail = parts.pop() ?? '';
  if (value.length < head.length + tail.length || !value.startsWith(head) || !value.endsWith(tail)) return false;
  let position = head.length;
  const end = value.length - tail.length;
  for (const part of parts) {
    const found = value.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
