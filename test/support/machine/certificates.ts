import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './temporary-file.ts';

/** A certificate and its private key: PEM, and the files that hold them. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends KeyPair {
  /**
   * Issues a certificate for a server.
   *
   * @param name as in `subjectAltName`: `DNS:localhost`, `IP:127.0.0.1`
   * @param expired whether its validity has ended
   */
  issue(name: string, options?: { readonly expired?: boolean }): KeyPair;
  /** Makes a self-signed certificate for this name. */
  selfSigned(name: string): KeyPair;
}

/** Only `openssl ca` accepts start and end of the validity in every version. */
const CONFIG = `
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = issued
certificate = authority.crt
private_key = authority.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
`;

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes a certificate authority with openssl, in a temporary directory. */
export function createAuthority(): Authority {
  const directory = temporaryDirectory();
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  };
  const pair = (name: string): KeyPair => {
    const [certFile, keyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
  };
  /** Makes a request or a certificate, with a new key. */
  const request = (name: string, out: string, ...more: readonly string[]): void =>
    openssl('req', '-config', 'config', ...KEY, '-keyout', `${name}.key`, '-out', out, '-subj', `/CN=${name}`, ...more);

  writeFileSync(join(directory, 'config'), CONFIG);
  writeFileSync(join(directory, 'index'), '');
  writeFileSync(join(directory, 'serial'), '01\n');
  mkdirSync(join(directory, 'issued'));
  request('authority', 'authority.crt', '-x509', '-extensions', 'authority');
  let made = 0;
  const next = (): string => {
    made += 1;
    return `server-${made}`;
  };

  return {
    ...pair('authority'),
    issue(name, { expired = false } = {}) {
      const server = next();
      request(server, `${server}.csr`, '-new');
      writeFileSync(join(directory, `${server}.ext`), `subjectAltName = ${name}\n`);
      const until = expired ? '20200102000000Z' : '20491231000000Z';
      const files = ['-in', `${server}.csr`, '-out', `${server}.crt`, '-extfile', `${server}.ext`];
      const validity = ['-startdate', '20200101000000Z', '-enddate', until];
      openssl('ca', '-config', 'config', '-batch', '-notext', ...files, ...validity);
      return pair(server);
    },
    selfSigned(name) {
      const server = next();
      request(server, `${server}.crt`, '-x509', '-addext', `subjectAltName = ${name}`);
      return pair(server);
    },
  };
}
