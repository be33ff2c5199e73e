import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';

ensureInstalled();
build();
// In this process, so that Ctrl-C reaches the handler that stops every child process.
await import('../bench/main.mjs');
