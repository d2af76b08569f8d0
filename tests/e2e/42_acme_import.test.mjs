// Switching from Caddy or certbot orders nothing.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { freePort, Portero, temporaryFolder, waitFor } from './harness.mjs';
import { selfSigned } from './lib/certificates.mjs';
import { pebble, request, shown } from './lib/pebble.mjs';

const somePorts = async () => [await freePort(), await freePort()];

test('acme: certificates and the account of a real Caddy', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports, env: { PEBBLE_WFE_NONCEREJECT: '0' } });
  const folder = temporaryFolder();
  const caddyfile = path.join(folder, 'Caddyfile');
  writeFileSync(caddyfile, `
{
  admin off
  skip_install_trust
  storage file_system ${folder}/caddy
  http_port ${ports[0]}
  https_port ${ports[1]}
  email admin@example.com
  acme_ca ${authority.directory}
  acme_ca_root ${authority.roots}
}
www.example.com {
  respond caddy
}
`);
  const caddy = spawn('caddy', ['run', '--config', caddyfile, '--adapter', 'caddyfile'],
    { env: { ...process.env, HOME: folder }, stdio: 'ignore' });
  t.after(() => caddy.kill('SIGKILL'));
  const id = `localhost-${authority.port}-dir`;
  const file = `${folder}/caddy/certificates/${id}/www.example.com/www.example.com.json`;
  await waitFor('caddy\'s certificate', () => existsSync(file), 40);
  const before = (await shown(ports[1], 'www.example.com')).fingerprint256;
  caddy.kill('SIGTERM');
  await once(caddy, 'exit');

  const edge = new Portero(temporaryFolder(), ...ports);
  edge.write(`
email: admin@example.com
acme: {preflight: false, issuers: {directory: "${authority.directory}", roots: ${authority.roots}}}
sites:
  www.example.com: {respond: portero}
`);
  const refused = await edge.command('certs', 'import', '--caddy', folder);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /not Caddy's storage: it has no folder `certificates`/);
  assert.equal((await edge.command('certs', 'import')).code, 2);
  const { code, stdout, stderr } =
    await edge.command('certs', 'import', '--caddy', `${folder}/caddy`);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /taken over: www\.example\.com: certificate of Pebble/);
  assert.match(stdout, /taken over: the account at https:\/\/localhost/);

  const orders = authority.count('Added order');
  await edge.start();
  t.after(() => edge.stop());
  assert.equal((await shown(ports[1], 'www.example.com')).fingerprint256, before);
  assert.equal(authority.count('Added order'), orders);
  // The account is Caddy's, and it can order.
  await edge.command('certs', 'renew', 'www.example.com');
  await waitFor('another certificate', async () =>
    (await shown(ports[1], 'www.example.com')).fingerprint256 !== before);
  assert.equal(authority.count('There are now 2 accounts'), 0);
  const again = await edge.command('certs', 'import', '--caddy', `${folder}/caddy`);
  assert.match(again.stdout, /left: www\.example\.com: the storage has one that lasts as long/);
});

// As certbot lays it out; its accounts have RSA keys, as JWK.
function certbotFolder(authority, { accountUrl, jwk }) {
  const folder = temporaryFolder();
  for (const name of ['live/www.example.com', 'archive/www.example.com', 'renewal']) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  const archive = path.join(folder, 'archive/www.example.com');
  const live = path.join(folder, 'live/www.example.com');
  selfSigned(archive, 'www.example.com', { file: 'x', days: 30 });
  execFileSync('sh', ['-c', `
cd ${archive} && mv x.pem fullchain1.pem && mv x.key privkey1.pem
ln -s ../../archive/www.example.com/fullchain1.pem ${live}/fullchain.pem
ln -s ../../archive/www.example.com/privkey1.pem ${live}/privkey.pem`]);
  writeFileSync(path.join(folder, 'renewal/www.example.com.conf'), `
version = 2.1.0
cert = ${live}/cert.pem
[renewalparams]
account = abc123
server = ${authority.directory}
`);
  const account = path.join(folder, 'accounts', `localhost:${authority.port}`, 'dir', 'abc123');
  mkdirSync(account, { recursive: true });
  writeFileSync(path.join(account, 'private_key.json'), JSON.stringify(jwk));
  writeFileSync(path.join(account, 'regr.json'), JSON.stringify({ body: {}, uri: accountUrl }));
  return folder;
}

// What certbot has done once: an account for its key.
async function openAccount(authority, privateKey) {
  const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { newNonce, newAccount } = JSON.parse((await request(authority.directory)).body);
  const nonce = (await request(newNonce, { method: 'HEAD' })).headers['replay-nonce'];
  const { e, kty, n } = privateKey.export({ format: 'jwk' });
  const head = base64url({ alg: 'RS256', jwk: { e, kty, n }, nonce, url: newAccount });
  const payload = base64url({ termsOfServiceAgreed: true });
  const signature = sign('sha256', Buffer.from(`${head}.${payload}`), privateKey);
  const answer = await request(newAccount, {
    method: 'POST',
    headers: { 'content-type': 'application/jose+json' },
    body: JSON.stringify({ protected: head, payload, signature: signature.toString('base64url') }),
  });
  assert.equal(answer.status, 201, answer.body.toString());
  return answer.headers.location;
}

test('acme: certificates of certbot, and its account with an RSA key', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports, env: { PEBBLE_WFE_NONCEREJECT: '0' } });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const accountUrl = await openAccount(authority, privateKey);
  const jwk = privateKey.export({ format: 'jwk' });
  const folder = certbotFolder(authority, { accountUrl, jwk });
  const edge = new Portero(temporaryFolder(), ...ports);
  edge.write(`
acme: {preflight: false, issuers: {directory: "${authority.directory}", roots: ${authority.roots}}}
sites:
  www.example.com: {respond: portero}
`);
  const { code, stdout } = await edge.command('certs', 'import', '--certbot', folder);
  assert.equal(code, 0);
  assert.match(stdout, /taken over: www\.example\.com: certificate of www\.example\.com/);
  assert.match(stdout, /taken over: the account at https:\/\/localhost/);
  await edge.start();
  t.after(() => edge.stop());
  assert.equal((await shown(ports[1], 'www.example.com')).issuer.CN, 'www.example.com');
  assert.equal(authority.count('Added order'), 0);
  await edge.command('certs', 'renew', 'www.example.com');
  await waitFor('a certificate', () => edge.stderr.includes('acme.obtained'), 20);
  assert.equal(authority.count('There are now 2 accounts'), 0);
});
