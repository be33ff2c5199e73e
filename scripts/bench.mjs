import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { say } from './lib/run.mjs';

ensureInstalled();
say('building');
build();
// In this process, so that Ctrl-C reaches what stops all that it started.
await import('../bench/main.mjs');
