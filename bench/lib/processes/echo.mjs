import { LOAD_CORE } from '../machine/pin.mjs';
import { compile } from './compile.mjs';
import { startServer } from './servers.mjs';

/** The back end behind a relay: load/echo.c, on the core of the load generator. */
export function startEcho() {
  return startServer({ command: compile('echo'), core: LOAD_CORE });
}
