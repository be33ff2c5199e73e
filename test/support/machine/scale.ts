/** Whether this is the long run (`npm run test:soak`). */
const soaking = process.env.ONCEGATE_SOAK === 'true';

/** Chooses between the usual size of a test and that of the long run. */
export function scaled(usual: number, soak: number): number {
  return soaking ? soak : usual;
}
