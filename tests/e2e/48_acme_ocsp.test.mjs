// OCSP: stapled, kept, refreshed, and what happens when a certificate is revoked. Pebble names the
// responder, `openssl ocsp` with Pebble's own key answers.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';

import { freePort, portero, temporaryFolder, waitFor } from './harness.mjs';
import { certs, issuer, obtained, somePorts } from './lib/acme.mjs';
import { pebble, request, shown } from './lib/pebble.mjs';

const name = 'www.example.com';

// Answers for the authority's certificates by what `states` says of their serials: 'V' or 'R'.
async function responder(t, port) {
  const folder = temporaryFolder();
  const service = { states: new Map(), asked: 0, authority: null };
  const file = (leaf) => path.join(folder, leaf);
  const server = http.createServer(async (incoming, answer) => {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    service.asked += 1;
    const { management } = service.authority;
    for (const [leaf, url] of [['ca.pem', 'intermediates/0'], ['ca.key', 'intermediate-keys/0']]) {
      writeFileSync(file(leaf), (await request(`${management}/${url}`)).body);
    }
    writeFileSync(file('request.der'), Buffer.concat(pieces));
    const rows = [...service.states].map(([serial, state]) =>
      [state, '301231235959Z', state === 'R' ? '260101000000Z,keyCompromise' : '', serial,
        'unknown', '/CN=x'].join('\t'));
    writeFileSync(file('index.txt'), rows.map((row) => `${row}\n`).join(''));
    const made = spawnSync('openssl', ['ocsp', '-index', 'index.txt', '-CA', 'ca.pem', '-rsigner',
      'ca.pem', '-rkey', 'ca.key', '-reqin', 'request.der', '-respout', 'answer.der', '-nmin',
      '120'], { cwd: folder, encoding: 'utf8' });
    if (made.status !== 0) console.error(made.stderr);
    answer.writeHead(200, { 'content-type': 'application/ocsp-response' });
    answer.end(readFileSync(file('answer.der')));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return service;
}

// What `openssl s_client -status` says of the staple.
const status = (port) => execFileSync('openssl',
  ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-status'],
  { input: '', encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
const isStapled = (port) => /OCSP Response Status: successful/.test(status(port));

test('ocsp: stapled where a responder is named; a revoked one is replaced', async (t) => {
  const ports = await somePorts();
  const port = await freePort();
  const service = await responder(t, port);
  const authority = await pebble(t, { ports, ocsp: `http://127.0.0.1:${port}/ocsp` });
  service.authority = authority;
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  ${name}: {respond: ok}
`, { ports });
  await obtained(edge, [name]);
  const serial = async () => (await shown(edge.httpsPort, name)).serialNumber.toUpperCase();
  const first = await serial();

  await t.test('a responder that does not know it yet is asked again', async () => {
    await waitFor('the answer', () =>
      /acme\.ocsp_failed.*does not know the certificate/.test(edge.stderr));
    assert.equal(isStapled(edge.httpsPort), false);
  });
  await t.test('the response goes with the certificate', async () => {
    service.states.set(first, 'V');
    await edge.stop();
    await edge.start();
    await waitFor('the staple', () => isStapled(edge.httpsPort));
    assert.match(status(edge.httpsPort), /Cert Status: good/);
  });
  await t.test('it is on disk for the next start', async () => {
    const [file] = readdirSync(path.join(edge.storage, 'ocsp'));
    assert.match(file, /^[0-9a-f]{64}\.der$/);
    const asked = service.asked;
    await edge.stop();
    await edge.start();
    assert.ok(isStapled(edge.httpsPort));
    assert.equal(service.asked, asked);
  });
  await t.test('it is refreshed when half of its life is over', async () => {
    const asked = service.asked;
    await edge.stop();
    await edge.start({ env: {
      LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', FAKETIME: '+65m',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    } });
    assert.ok(isStapled(edge.httpsPort));
    await waitFor('the question', () => service.asked > asked);
    await edge.stop();
  });
  await t.test('a revoked certificate is reported and replaced', async () => {
    service.states.set(first, 'R');
    const [file] = readdirSync(path.join(edge.storage, 'ocsp'));
    writeFileSync(path.join(edge.storage, 'ocsp', file), 'no response');
    await edge.start();
    await waitFor('the new certificate', async () => (await serial()) !== first);
    assert.match(edge.stderr, /tls\.certificate_revoked.*keyCompromise/);
    service.states.set(await serial(), 'V');
    assert.equal((await certs(edge))[name].failures, 0);
  });
});
