// Certificates for tests, made by the openssl command: {cert, key} are paths of PEM files.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

export function selfSigned(folder, name, { file = name, days = 2 } = {}) {
  const cert = path.join(folder, `${file}.pem`);
  const key = path.join(folder, `${file}.key`);
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', `${days}`,
    '-keyout', key, '-out', cert,
  ], { stdio: 'pipe' });
  return { cert, key };
}
