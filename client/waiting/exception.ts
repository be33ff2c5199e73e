/** An exception of the web platform. React Native has no class for it: there it is an error with the same name. */
export function createException(message: string, name: string): Error {
  return globalThis.DOMException ? new DOMException(message, name) : Object.assign(new Error(message), { name });
}
