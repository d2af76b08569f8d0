// Certificates for names that no site spells out, at their first handshake.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';

import { freePort, portero, waitFor } from './harness.mjs';
import { certs, issuer, obtained, somePorts } from './lib/acme.mjs';
import { isPublic, pebble, shown } from './lib/pebble.mjs';

// The user's service: knows the names in `allowed`.
async function permission(t) {
  const service = { allowed: new Set(), asked: [], status: 404 };
  const server = http.createServer((request, answer) => {
    const url = new URL(request.url, 'http://ask');
    const name = url.searchParams.get('domain');
    service.asked.push({ name, client: url.searchParams.get('client_ip'),
      forwarded: request.headers['x-forwarded-for'] });
    answer.writeHead(service.allowed.has(name) ? 200 : service.status).end();
  });
  server.listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  service.url = `http://127.0.0.1:${server.address().port}/allowed`;
  return service;
}

async function start(t, { limit = '', name, more = '' } = {}) {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const service = await permission(t);
  const edge = await portero(t, `
acme:
  preflight: false
  issuers: [${issuer(authority)}]
  on_demand: {ask: "${service.url}"${limit}}
sites:
  ${JSON.stringify(name ?? `:${ports[1]}`)}: {tls: {on_demand: true}, respond: "you are at {host}"}
${more}`, { ports });
  return { edge, authority, service };
}

const refused = (promise) => assert.rejects(promise, /unrecognized name/);

test('on demand: the first handshake waits for the certificate', async (t) => {
  const { edge, authority, service } = await start(t, {
    more: '  www.example.com: {respond: www}',
  });
  await obtained(edge, ['www.example.com']);
  service.allowed.add('shop.customer.example').add('other.customer.example');
  const together = await Promise.all(Array.from({ length: 8 }, () =>
    shown(edge.httpsPort, 'shop.customer.example')));
  for (const certificate of together) {
    assert.ok(isPublic(certificate));
    assert.equal(certificate.subjectaltname, 'DNS:shop.customer.example');
  }
  assert.equal(authority.count('Added order'), 2);
  assert.deepEqual(service.asked, [
    { name: 'shop.customer.example', client: '127.0.0.1', forwarded: '127.0.0.1' }]);
  const answer = await edge.get('/', {
    host: 'shop.customer.example', ca: await authority.root(),
  });
  assert.equal(answer.text, 'you are at shop.customer.example');
  assert.equal((await certs(edge))['shop.customer.example'].source, 'acme');

  await t.test('a refusal is remembered, and costs the authority nothing', async () => {
    for (let i = 0; i < 5; i += 1) await refused(shown(edge.httpsPort, 'nobody.example'));
    assert.equal(service.asked.filter(({ name }) => name === 'nobody.example').length, 1);
    assert.equal(authority.count('Added order'), 2);
  });
  await t.test('names of sites are not asked for', async () => {
    assert.ok(isPublic(await shown(edge.httpsPort, 'www.example.com')));
    assert.equal(service.asked.some(({ name }) => name === 'www.example.com'), false);
  });
  await t.test('what cannot be a public name is refused unasked', async () => {
    const before = service.asked.length;
    for (const name of ['single', 'a_b..example', '*.example.com']) {
      await assert.rejects(shown(edge.httpsPort, name));
    }
    assert.equal(service.asked.length, before);
  });
  await t.test('a reload keeps it; a start asks again, and orders nothing', async () => {
    await edge.command('reload');
    assert.ok(isPublic(await shown(edge.httpsPort, 'shop.customer.example')));
    assert.equal(service.asked.filter(({ name }) => name === 'shop.customer.example').length, 1);
    await edge.stop();
    await edge.start();
    assert.ok(isPublic(await shown(edge.httpsPort, 'shop.customer.example')));
    assert.equal(service.asked.filter(({ name }) => name === 'shop.customer.example').length, 2);
    assert.equal(authority.count('Added order'), 2);
  });
  await t.test('who is no longer allowed is not renewed', async () => {
    service.allowed.delete('shop.customer.example');
    await edge.command('certs', 'renew', 'shop.customer.example');
    await waitFor('the refusal', async () =>
      /not renewed: `ask` answers 404/.test(
        (await certs(edge))['shop.customer.example'].last_error));
    assert.equal(authority.count('Added order'), 2);
  });
});

test('on demand: a thousand names out of nowhere cost no order', async (t) => {
  const { edge, authority, service } = await start(t, { limit: ', limit: 10/min' });
  const names = Array.from({ length: 1_000 }, (_, i) => `n${i}.nowhere.example`);
  for (let i = 0; i < names.length; i += 50) {
    await Promise.all(names.slice(i, i + 50).map((name) => refused(shown(edge.httpsPort, name))));
  }
  assert.equal(authority.count('Added order'), 0);
  assert.ok(service.asked.length <= 100, `${service.asked.length} questions`);
  assert.match(edge.stderr, /acme\.on_demand_limited/);
});

test('on demand: more names than the limit are refused, even when allowed', async (t) => {
  const { edge, authority, service } = await start(t, { limit: ', limit: 4/h' });
  const names = Array.from({ length: 6 }, (_, i) => `n${i}.customer.example`);
  for (const name of names) service.allowed.add(name);
  const results = await Promise.allSettled(names.map((name) => shown(edge.httpsPort, name)));
  // All come from one address, which gets half of the limit.
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 2);
  assert.equal(authority.count('Added order'), 2);
});

test('on demand: a service that is away allows nothing', async (t) => {
  const { edge, service } = await start(t, { name: '*.customers.example' });
  service.allowed.add('a.customers.example').add('a.elsewhere.example');
  service.status = 500;
  await refused(shown(edge.httpsPort, 'b.customers.example'));
  assert.ok(isPublic(await shown(edge.httpsPort, 'a.customers.example')));
  await refused(shown(edge.httpsPort, 'a.elsewhere.example'));
  assert.equal(service.asked.some(({ name }) => name === 'a.elsewhere.example'), false);
});

test('on demand: an order that fails ends the wait', async (t) => {
  const ports = await somePorts();
  const service = await permission(t);
  service.allowed.add('a.example.com');
  const edge = await portero(t, `
acme:
  preflight: false
  issuers: [{directory: "https://localhost:${await freePort()}/dir"}]
  on_demand: {ask: "${service.url}"}
sites:
  ":${ports[1]}": {tls: {on_demand: true}, respond: ok}
`, { ports });
  const began = Date.now();
  await refused(shown(edge.httpsPort, 'a.example.com'));
  assert.ok(Date.now() - began < 10_000);
  assert.match((await certs(edge))['a.example.com'].last_error, /cannot reach the authority/);
});
