// A second, independent authority: caddy's acme_server. It asks ports 80 and 443 only, so the test
// runs in a network namespace of its own, where they are free.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { portero, temporaryFolder, waitFor } from './harness.mjs';
import { inNamespace } from './lib/netns.mjs';
import { request, shown } from './lib/pebble.mjs';

async function startCaddy(t) {
  const folder = temporaryFolder();
  const file = path.join(folder, 'Caddyfile');
  writeFileSync(file, `
{
  admin off
  auto_https disable_redirects
  skip_install_trust
  storage file_system ${folder}/storage
  http_port 9080
  https_port 9443
}
https://localhost:9443 {
  tls internal
  acme_server
}
`);
  const child = spawn('caddy', ['run', '--config', file, '--adapter', 'caddyfile'],
    { env: { ...process.env, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (data) => (child.text = (child.text ?? '') + data));
  t.after(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
    if (!t.passed) console.error((child.text ?? '').slice(-5_000));
  });
  const directory = 'https://localhost:9443/acme/local/directory';
  await waitFor('caddy', () =>
    request(directory).then(({ status }) => status === 200, () => false));
  return { directory, roots: path.join(folder, 'storage/pki/authorities/local/root.crt') };
}

async function against(t, challenge) {
  const { directory, roots } = await startCaddy(t);
  const edge = await portero(t, `
sites:
  localhost:
    tls: {issuers: {directory: "${directory}", roots: ${roots}}, challenges: ${challenge}}
    respond: ok
`, { ports: [80, 443] });
  const row = async () => JSON.parse((await edge.command('certs', '--json')).stdout).certificates
    .find(({ name }) => name === 'localhost');
  await waitFor('a certificate', async () => (await row()).issuer, 20);
  assert.equal((await row()).challenge, challenge);
  const answer = await edge.get('/', { ca: readFileSync(roots, 'utf8') });
  assert.equal(answer.text, 'ok');
  const before = (await shown(443, 'localhost')).fingerprint256;
  await edge.command('certs', 'renew', 'localhost');
  await waitFor('another one', async () =>
    (await shown(443, 'localhost')).fingerprint256 !== before);
}

inNamespace(import.meta.url, 'acme: against caddy\'s acme_server', 2, () => {
  test('acme: caddy, by tls-alpn-01', (t) => against(t, 'tls-alpn-01'));
  test('acme: caddy, by http-01', (t) => against(t, 'http-01'));
});
