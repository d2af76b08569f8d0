// Accounts, limits, chains and proofs: what goes on between a server and its authorities over time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { freePort, portero, temporaryFolder, waitFor } from './harness.mjs';
import { certs, failure, issuer, obtained, somePorts } from './lib/acme.mjs';
import { acmeFront, isPublic, pebble, shown } from './lib/pebble.mjs';

const name = 'www.example.com';
const site = (issuers) => `
acme: {preflight: false, issuers: [${issuers}]}
sites:
  ${name}: {respond: ok}
`;

// Has a new certificate ordered and waits until it is shown.
async function renewed(edge) {
  const before = (await shown(edge.httpsPort, name)).fingerprint256;
  assert.equal((await edge.command('certs', 'renew', name)).code, 0);
  await waitFor('the new certificate', async () =>
    (await shown(edge.httpsPort, name)).fingerprint256 !== before);
  return (await certs(edge))[name];
}

test('acme: accounts get new keys', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const front = await acmeFront(t, authority);
  const edge = await portero(t, site(issuer(front)), { ports });
  await obtained(edge, [name]);
  const { stdout, code } = await edge.command('certs', 'new-account-keys');
  assert.equal(code, 0);
  assert.match(stdout, /new keys as soon as no order is under way/);
  await waitFor('the change', () => edge.stderr.includes('acme.account_key_changed'));
  await renewed(edge);

  await t.test('also when the authority\'s answer is lost', async () => {
    front.intercept = async (call) => {
      if (!/rollover|key-?change/i.test(call.path)) return null;
      await call.forward();
      return { status: 500, headers: {}, body: 'lost' };
    };
    await edge.command('certs', 'new-account-keys');
    await waitFor('the loss', () => edge.stderr.includes('acme.account_key_kept'));
    await renewed(edge);
    assert.equal(authority.count('There are now 2 accounts'), 0);
  });
});

test('acme: the limit of one authority keeps nobody from another', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const limited = await acmeFront(t, authority, {
    intercept: async ({ payload }) => (payload?.identifiers ? {
      status: 429,
      headers: { 'content-type': 'application/problem+json', 'retry-after': '7200' },
      body: '{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}',
    } : null),
  });
  const down = await freePort();
  const edge = await portero(t,
    site(`{directory: "https://localhost:${down}/dir"}, ${issuer(limited)}`), { ports });
  assert.match(await failure(edge, name), /cannot reach .*; localhost:\d+: too many/);
  const wait = Date.parse((await certs(edge))[name].next_try) - Date.now();
  assert.ok(wait < 120_000, `the next try is in ${wait} ms`);

  await t.test('it is waited for over a restart, when there is no other', async () => {
    const calls = limited.calls.length;
    edge.write(site(issuer(limited)));
    await edge.stop();
    await edge.start();
    const next = Date.parse((await certs(edge))[name].next_try) - Date.now();
    assert.ok(next > 6_000_000, `the next try is in ${next} ms`);
    assert.equal(limited.calls.length, calls);
  });
});

test('acme: proofs that the authority remembers are used again', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports, env: { PEBBLE_AUTHZREUSE: '100' } });
  const edge = await portero(t, site(issuer(authority)), { ports });
  const rows = await obtained(edge, [name]);
  assert.equal(rows[name].why, 'the first of `challenges`');
  const proofs = authority.count('set VALID');
  assert.equal((await renewed(edge)).why, 'the authority remembered an earlier proof');
  assert.equal(authority.count('set VALID'), proofs);
});

test('acme: an address, by tls-alpn-01', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const edge = await portero(t, `
acme: {preflight: false}
sites:
  127.0.0.1:
    tls: {issuers: ${issuer(authority)}, challenges: tls-alpn-01}
    respond: ok
`, { ports });
  const rows = await obtained(edge, ['127.0.0.1']);
  assert.equal(rows['127.0.0.1'].challenge, 'tls-alpn-01');
  assert.match((await shown(edge.httpsPort)).subjectaltname, /IP Address:127\.0\.0\.1/);
});

test('acme: a chain with an expired certificate is not taken when there is another', async (t) => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'old.pem');
  execFileSync('faketime', ['2020-01-01', 'openssl', 'req', '-x509', '-nodes', '-days', '1',
    '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=old', '-keyout',
    path.join(folder, 'old.key'), '-out', file], { stdio: 'ignore' });
  const old = readFileSync(file);
  const ports = await somePorts();
  const authority = await pebble(t, { ports, env: { PEBBLE_ALTERNATE_ROOTS: '1' } });
  const isChain = (answer) => answer.body.includes('BEGIN CERTIFICATE');
  let downloads = 0;
  let allAreOld = false;
  const front = await acmeFront(t, authority, {
    intercept: async (call) => {
      if (call.method !== 'POST' || !call.path.includes('/certZ/')) return null;
      const answer = await call.forward();
      if (!isChain(answer)) return answer;
      downloads += 1;
      const isUsual = !call.path.includes('/alternate/');
      if (isUsual || allAreOld) answer.body = Buffer.concat([answer.body, old]);
      return answer;
    },
  });
  const edge = await portero(t, site(issuer(front)), { ports });
  await obtained(edge, [name]);
  assert.equal(downloads, 2);
  const stored = path.join(edge.storage, `acme/certificates/${name}/certificate.pem`);
  assert.equal(readFileSync(stored, 'utf8').includes(old.toString()), false);
  assert.equal(edge.stderr.includes('acme.chain_expired'), false);
  allAreOld = true;
  await renewed(edge);
  assert.match(edge.stderr, /acme\.chain_expired/);
  assert.ok(isPublic(await shown(edge.httpsPort, name)));
});

test('acme: a thousand names start in waves', { timeout: 240_000 }, async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports, env: { PEBBLE_WFE_NONCEREJECT: '0' } });
  const front = await acmeFront(t, authority, { oneAtATime: true });
  const names = Array.from({ length: 1_000 }, (_, i) => `n${i}.example.com`);
  // A key of YAML has at most 1,024 characters.
  const sites = Array.from({ length: 20 }, (_, i) =>
    `  ${names.slice(i * 50, i * 50 + 50).join(', ')}: {respond: ok}`);
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(front)}]}
sites:
${sites.join('\n')}
`, { ports });
  await waitFor('a thousand certificates', async () => {
    const rows = Object.values(await certs(edge));
    assert.equal(rows.length, 1_000);
    assert.ok(rows.filter((row) => row.in_progress).length <= 16);
    assert.deepEqual(rows.filter((row) => row.last_error), []);
    return rows.every((row) => row.source === 'acme' && row.issuer);
  }, 200);
  assert.equal(authority.count('There are now 2 accounts'), 0);
  assert.ok(isPublic(await shown(edge.httpsPort, 'n999.example.com')));
});
