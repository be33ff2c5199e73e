import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';

ensureInstalled();
build();
// In this process, so that signals reach the services themselves.
await import('../dist/services/standalone/main.js');
