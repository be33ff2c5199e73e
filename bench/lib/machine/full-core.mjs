/** A core counts as full from this share of its time on. */
export const FULL_CORE = 0.95;
