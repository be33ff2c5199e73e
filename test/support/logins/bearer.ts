import { type JWTPayload, SignJWT } from 'jose';

/** HS256 key that the ticket services of the tests accept. */
export const JWT_SECRET = 'a secret of the tests, long enough for HS256';

/** An `Authorization` header with a Bearer token for a subject, by default valid for five minutes. */
export async function bearer(subject: string, expiresIn = '5m', claims: JWTPayload = {}): Promise<string> {
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(expiresIn)
    .sign(new TextEncoder().encode(JWT_SECRET));
  return `Bearer ${token}`;
}
