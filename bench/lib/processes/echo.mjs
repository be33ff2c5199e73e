import { LOAD_CORE } from '../machine/pin.mjs';
import { compile } from './compile.mjs';
import { startServer } from './server.mjs';

/** Starts the back end behind a relay: load/echo.c, on the load generator's core. */
export function startEcho() {
  return startServer({ command: compile('echo'), core: LOAD_CORE });
}
