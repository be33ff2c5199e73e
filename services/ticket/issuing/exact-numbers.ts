/** A string, a number or a mark of well-formed JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:]/g;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * The top-level members of a JSON object with a number in them that a double does not hold exactly (RFC 8259 §6):
 * JSON.parse would change it silently.
 *
 * @param json well-formed JSON
 */
export function inexactMembers(json: string): string[] {
  const found = new Set<string>();
  let depth = 0;
  let before = '""';
  let member = before;
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) member = before;
    else if (NUMBER.test(token) && !isExact(token)) found.add(member);
    before = token;
  }
  return [...found].map((name) => String(JSON.parse(name)));
}

function isExact(literal: string): boolean {
  const value = Number(literal);
  return Number.isFinite(value) && decimalOf(literal) === decimalOf(String(value));
}

/** The same text for the same value: digits without zeros around them, and a power of ten. */
function decimalOf(literal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(literal) ?? [];
  const digits = whole + fraction;
  // Loops, not expressions: for a long run of zeros those would be quadratic.
  let start = 0;
  while (digits[start] === '0') start += 1;
  let end = digits.length;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  return `${sign}${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
