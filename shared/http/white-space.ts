/**
 * A text without the optional white space around it (RFC 9110 §5.6.3): only spaces and tabs, while `trim()`
 * removes more. Written by hand, because `/[ \t]+$/` takes quadratic time if something follows the blanks,
 * and any client may send 16 KiB of them.
 */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
