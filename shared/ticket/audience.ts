/** The form of an audience, wherever one is named: in a ticket, a gateway's settings, an API key or a policy. */
export const AUDIENCE = /^[A-Za-z0-9._-]{1,64}$/;

/** The same in words. */
export const AUDIENCE_FORM = '1 to 64 of A-Z a-z 0-9 . _ -';
