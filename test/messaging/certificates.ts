/** Certificate authorities and certificates for tests, by the program openssl. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { skipWithout } from '../servers/installed.js';

export interface Certificate {
  certFile: string;
  keyFile: string;
}

export interface Authority {
  caFile: string;
  /** @param names what it is for, as in `DNS:localhost,IP:127.0.0.1` */
  issue(name: string, names: string, days?: number): Certificate;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Undefined when there is no openssl; then `t` has been given a skip. */
export function createAuthority(t: Test, name: string): Authority | undefined {
  try {
    execFileSync('openssl', ['version']);
  } catch {
    return skipWithout(t, 'openssl', 'install it (Debian: apt-get install openssl)');
  }
  const folder = join(t.testdirName, name);
  mkdirSync(folder, { recursive: true });
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  run('req', '-x509', ...KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', `/CN=${name}`, '-days', '2');
  return {
    caFile: join(folder, 'ca.pem'),
    issue(leaf, names, days = 2) {
      writeFileSync(join(folder, `${leaf}.ext`), `subjectAltName=${names}\n`);
      run('req', '-new', ...KEY, '-keyout', `${leaf}.key`, '-out', `${leaf}.csr`, '-subj', `/CN=${leaf}`);
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)];
      run('x509', '-req', '-in', `${leaf}.csr`, ...signer, '-out', `${leaf}.pem`, '-extfile', `${leaf}.ext`);
      return { certFile: join(folder, `${leaf}.pem`), keyFile: join(folder, `${leaf}.key`) };
    },
  };
}
