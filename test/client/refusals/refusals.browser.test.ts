import { describe } from 'vitest';
import { isMissing } from '../../support/machine/programs.ts';
import { chromium, firefox } from './runtimes.ts';
import { describeRefusals } from './suite.ts';

describe.skipIf(isMissing('chromium'))('a page', () => describeRefusals('in Chromium', chromium, true));
describe.skipIf(isMissing('firefox'))('a page', () => describeRefusals('in Firefox', firefox, true));
