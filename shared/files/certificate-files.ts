import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import type { Logger } from '../process/log.ts';
import { invalidity } from '../settings/checks.ts';
import { isTlsPair } from '../settings/load.ts';
import type { Settings } from '../settings/table.ts';

/** How often the files are looked at, ms. */
const LOOK_EVERY_MS = 1_000;

export interface CertificateFiles {
  /** Stops looking at the files. */
  end(): void;
}

/**
 * Keeps a server on the certificate that TLS_CERT_FILE and TLS_KEY_FILE hold: each change is taken up, and
 * on SIGHUP they are read again. A pair that does not fit, cannot be read or is not valid now is logged, and the old
 * one stays. Open connections stay too. Without TLS nothing is done.
 */
export function watchCertificate(
  server: Server,
  { tlsCertFile, tlsKeyFile }: Pick<Settings, 'tlsCertFile' | 'tlsKeyFile'>,
  log: Logger,
): CertificateFiles {
  if (!(server instanceof TlsServer) || tlsCertFile === undefined || tlsKeyFile === undefined) return { end() {} };
  const paths = [tlsCertFile.path, tlsKeyFile.path] as const;
  let taken = stampOf(paths);
  let seen = taken;

  const take = (): void => {
    const outcome = readPair(paths);
    if ('fault' in outcome) {
      log.error({ event: 'file_refused', setting: 'TLS_CERT_FILE', faults: [outcome.fault] });
      return;
    }
    server.setSecureContext(outcome);
    log.info({ event: 'file_loaded', setting: 'TLS_CERT_FILE' });
  };
  const look = (): void => {
    const stamp = stampOf(paths);
    // Two files are not replaced at once: they are read when neither has changed since the last look.
    if (stamp !== taken && stamp === seen) {
      taken = stamp;
      take();
    }
    seen = stamp;
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  process.on('SIGHUP', take);
  return {
    end() {
      clearInterval(timer);
      process.off('SIGHUP', take);
    },
  };
}

function readPair([certPath, keyPath]: readonly [string, string]): { cert: string; key: string } | { fault: string } {
  try {
    const pair = { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
    if (!isTlsPair(pair.cert, pair.key))
      return { fault: 'must be a PEM certificate chain that TLS_KEY_FILE belongs to' };
    const fault = invalidity(pair.cert, Date.now());
    return fault === undefined ? pair : { fault };
  } catch {
    return { fault: 'cannot be read' };
  }
}

function stampOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? 'absent' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    })
    .join(' ');
}
