// Preloaded into every Node server of which the memory is measured, so that all of them are asked alike:
// SIGUSR2 collects the garbage.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('SIGUSR2', () => collect());
