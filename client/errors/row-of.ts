/** The row of a code, if the table itself has one. Codes come from outside: `constructor` must not find what is inherited. */
export function rowOf<Row>(table: Readonly<Record<string, Row>>, code: string): Row | undefined {
  return Object.hasOwn(table, code) ? table[code] : undefined;
}
