/** A schema that checks and types claims: the Standard Schema interface, version 1, of zod, valibot and arktype. */
export interface ClaimsSchema<Claims> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Checked<Claims> | Promise<Checked<Claims>>;
    readonly types?: { readonly input: unknown; readonly output: Claims } | undefined;
  };
}

type Checked<Claims> =
  | { readonly value: Claims; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<unknown> };

/**
 * Checks the claims of a ticket by a schema.
 *
 * @returns the schema's output, or the claims as they were issued if there is no schema. A schema that throws
 *   accepts nothing; `fault` is what it threw.
 */
export async function checkClaims<Claims>(
  schema: ClaimsSchema<Claims> | undefined,
  json = '{}',
): Promise<{ readonly ok: true; readonly value: Claims } | { readonly ok: false; readonly fault?: unknown }> {
  const claims: unknown = JSON.parse(json);
  if (schema === undefined) return { ok: true, value: claims as Claims }; // the default type is any object
  try {
    const checked = await schema['~standard'].validate(claims);
    return checked.issues === undefined ? { ok: true, value: checked.value } : { ok: false };
  } catch (fault) {
    return { ok: false, fault };
  }
}
