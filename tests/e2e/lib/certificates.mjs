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

// A certificate for `name` that `issuer` (of selfSigned) has signed, for clients.
export function signedBy(folder, issuer, name) {
  const at = (end) => path.join(folder, `${name}.${end}`);
  const [cert, key, request] = [at('pem'), at('key'), at('csr')];
  execFileSync('openssl', [
    'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-subj', `/O=Test/CN=${name}`, '-keyout', key, '-out', request,
  ], { stdio: 'pipe' });
  execFileSync('openssl', [
    'x509', '-req', '-in', request, '-CA', issuer.cert, '-CAkey', issuer.key, '-CAcreateserial',
    '-days', '2', '-out', cert,
  ], { stdio: 'pipe' });
  return { cert, key };
}
