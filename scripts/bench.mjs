import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';

ensureInstalled();
build();
// In this process, so that Ctrl-C reaches what stops all that it started.
await import('../bench/main.mjs');
