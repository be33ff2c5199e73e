import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { say } from './lib/run.mjs';

ensureInstalled();
say('building');
build();
// In this process, so that signals reach the services themselves.
await import('../dist/services/standalone/main.js');
