import { describe, expect, test } from 'vitest';
import { loadSettings } from '../../../shared/settings/load.ts';
import { createAuthority } from '../../support/machine/certificates.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { temporaryFile } from '../../support/machine/temporary-file.ts';

describe.skipIf(isMissing('openssl'))('UPSTREAM_CA_FILE', () => {
  test('is taken with one certificate or several, and with what people write between them', () => {
    const [first, second] = [createAuthority(), createAuthority()];
    const bundle = `\uFEFF# ours\r\n${first.cert}\n# theirs\n${second.cert.replaceAll('\n', '\r\n')}`;
    const loaded = loadSettings({ UPSTREAM_CA_FILE: temporaryFile(bundle) }, []);

    expect(loaded.ok && loaded.settings.upstreamCaFile?.content).toBe(first.cert + second.cert);
  });

  test.each<readonly [string, (authority: ReturnType<typeof createAuthority>) => string]>([
    ['nothing', () => ''],
    ['a private key', ({ key }) => key],
    ['text', () => 'the certificate of our authority'],
    ['a certificate that breaks off', ({ cert }) => cert.slice(0, -40)],
    ['a good certificate and a broken one', ({ cert }) => cert + cert.replace(/\n\w{8}/, '\nAAAAAAAA')],
    ['an empty one', () => '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ])('that holds %s is a fault, told with the others', (_name, content) => {
    const path = temporaryFile(content(createAuthority()));

    expect(loadSettings({ UPSTREAM_CA_FILE: path, HEARTBEAT_SECONDS: '0' }, [])).toEqual({
      ok: false,
      faults: [
        'HEARTBEAT_SECONDS: must be a whole number from 1 to 3600 (seconds), not "0"',
        `UPSTREAM_CA_FILE: must be the path of a readable file of PEM certificates, all of them whole, not "${path}"`,
      ],
    });
  });
});
