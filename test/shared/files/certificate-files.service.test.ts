import { copyFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority, type KeyPair } from '../../support/machine/certificates.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { temporaryDirectory } from '../../support/machine/temporary-file.ts';
import { until } from '../../support/machine/wait.ts';
import { type InProcess, runGateway, runTicketService } from '../../support/services/in-process.ts';

describe.skipIf(isMissing('openssl'))('the certificate of a running service', () => {
  let authority: Authority;
  let old: KeyPair;
  let fresh: KeyPair;
  beforeAll(() => {
    authority = createAuthority();
    [old, fresh] = [authority.issue('DNS:old.example'), authority.issue('DNS:fresh.example')];
  });

  /** The names in the certificate that a port shows. */
  function shownBy(port: number): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subjectaltname);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  function place({ cert, key }: Pick<KeyPair, 'cert' | 'key'>, directory = temporaryDirectory()) {
    const files = { TLS_CERT_FILE: join(directory, 'tls.crt'), TLS_KEY_FILE: join(directory, 'tls.key') };
    writeFileSync(files.TLS_CERT_FILE, cert);
    writeFileSync(files.TLS_KEY_FILE, key);
    return { directory, files };
  }

  const events = ({ log }: InProcess) =>
    log.map(({ event }) => event).filter((event) => event === 'file_loaded' || event === 'file_refused');

  const services = [
    ['gateway', runGateway],
    ['ticket service', runTicketService],
  ] as const;

  test.each(services)('follows its files: %s', async (_name, run) => {
    const { directory, files } = place(old);
    const service = await run(files);
    expect(await shownBy(service.port)).toBe('DNS:old.example');
    const open = connect({ port: service.port, host: '127.0.0.1', rejectUnauthorized: false });
    await new Promise((resolve) => open.once('secureConnect', resolve));
    place(fresh, directory);
    await until(async () => (await shownBy(service.port)) === 'DNS:fresh.example');

    expect(events(service)).toEqual(['file_loaded']);
    expect(open.destroyed).toBe(false);
    open.destroy();
  });

  test('follows a link that is set anew, as Kubernetes does it', async () => {
    const [first, second] = [place(old).directory, place(fresh).directory];
    const directory = temporaryDirectory();
    symlinkSync(first, join(directory, 'data'));
    const names = { TLS_CERT_FILE: join(directory, 'data/tls.crt'), TLS_KEY_FILE: join(directory, 'data/tls.key') };
    const service = await runGateway(names);
    symlinkSync(second, join(directory, 'next'));
    renameSync(join(directory, 'next'), join(directory, 'data'));

    await until(async () => (await shownBy(service.port)) === 'DNS:fresh.example');
  });

  test.each(services)('is read again on SIGHUP: %s', async (_name, run) => {
    const { directory, files } = place(old);
    const service = await run(files);
    place(fresh, directory);
    process.emit('SIGHUP');

    expect(await shownBy(service.port)).toBe('DNS:fresh.example');
  });

  test.each<readonly [string, () => Pick<KeyPair, 'cert' | 'key'>]>([
    ['whose key belongs to another certificate', () => ({ cert: fresh.cert, key: old.key })],
    ['that is no certificate', () => ({ cert: 'none', key: fresh.key })],
    ['that is cut off', () => ({ cert: fresh.cert.slice(0, 200), key: fresh.key })],
    ['that is empty', () => ({ cert: '', key: '' })],
    ['that has expired', () => authority.issue('DNS:fresh.example', { expired: true })],
  ])('stays if the new one is one %s', async (_name, bad) => {
    const { directory, files } = place(old);
    const service = await runGateway(files);
    place(bad(), directory);
    await until(() => events(service).length > 0);

    expect(events(service)).toEqual(['file_refused']);
    expect(await shownBy(service.port)).toBe('DNS:old.example');
    expect(JSON.stringify(service.log)).not.toContain('PRIVATE KEY');
    copyFileSync(fresh.certFile, files.TLS_CERT_FILE);
    copyFileSync(fresh.keyFile, files.TLS_KEY_FILE);
    await until(async () => (await shownBy(service.port)) === 'DNS:fresh.example');
  });
});
