/** A schema that checks and types claims, by the Standard Schema interface (version 1), which zod, valibot and arktype have. */
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
 * The claims of a ticket as a schema makes them; without one as they were issued. A schema that throws
 * accepts nothing: that is a fault of the application's, and told beside.
 */
export async function checkClaims<Claims>(
  schema: ClaimsSchema<Claims> | undefined,
  json = '{}',
): Promise<{ readonly ok: true; readonly value: Claims } | { readonly ok: false; readonly fault?: unknown }> {
  const claims: unknown = JSON.parse(json);
  if (schema === undefined) return { ok: true, value: claims as Claims }; // by default an object, which claims are
  try {
    const checked = await schema['~standard'].validate(claims);
    return checked.issues === undefined ? { ok: true, value: checked.value } : { ok: false };
  } catch (fault) {
    return { ok: false, fault };
  }
}
