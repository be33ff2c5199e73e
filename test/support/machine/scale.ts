/** Whether this is the long run (`npm run test:soak`). */
const soaking = process.env.ONCEGATE_SOAK === 'true';

/** A number of things to do: the usual one, or that of the long run. */
export function scaled(usual: number, soak: number): number {
  return soaking ? soak : usual;
}
