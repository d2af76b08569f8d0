// What counts before a request: client certificates, limits of connections and handshakes.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync } from 'node:fs';
import test from 'node:test';
import tls from 'node:tls';

import { h2request, pause, portero, temporaryFolder, waitFor, within } from './harness.mjs';
import { selfSigned, signedBy } from './lib/certificates.mjs';

const read = ({ cert, key }) => ({ cert: readFileSync(cert), key: readFileSync(key) });

test('client_auth: who has no certificate of the CA does not get in', async (t) => {
  const folder = temporaryFolder();
  const ca = selfSigned(folder, 'client-ca');
  const good = read(signedBy(folder, ca, 'ann'));
  const stranger = read(selfSigned(folder, 'stranger'));
  const edge = await portero(t, `
sites:
  strict.test:
    tls: {client_auth: {mode: require, ca: ${ca.cert}}}
    respond: "{client_cert.subject} {client_cert.fingerprint}"
  asked.test:
    tls: {client_auth: {mode: request, ca: ${ca.cert}}}
    respond: "[{client_cert.subject}]"
  any.test:
    tls: {client_auth: {mode: require}}
    respond: "[{client_cert.subject}]"
  open.test: {respond: "open [{client_cert.subject}]"}
`);
  const get = (host, options) => edge.get('/', { host, ...options });
  const fingerprint = new X509Certificate(good.cert).fingerprint256.replaceAll(':',
    '').toLowerCase();
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    const answer = await get('strict.test', { ...good, maxVersion });
    assert.equal(answer.text, `CN=ann,O=Test ${fingerprint}`);
    await assert.rejects(get('strict.test', { maxVersion }), maxVersion);
    await assert.rejects(get('strict.test', { ...stranger, maxVersion }), maxVersion);
    assert.equal((await get('asked.test', { maxVersion })).text, '[]');
    assert.equal((await get('asked.test', { ...good, maxVersion })).text, '[CN=ann,O=Test]');
    await assert.rejects(get('asked.test', { ...stranger, maxVersion }), maxVersion);
    assert.equal((await get('any.test', { ...stranger, maxVersion })).text, '[CN=stranger]');
    await assert.rejects(get('any.test', { maxVersion }), maxVersion);
    assert.equal((await get('open.test', { maxVersion })).text, 'open []');
  }
  // SNI and Host must agree where it matters: 421, whatever the version of HTTP.
  assert.equal((await get('open.test', { servername: 'open.test',
    headers: { Host: 'strict.test' } })).status, 421);
  assert.equal((await get('asked.test', { servername: 'asked.test',
    headers: { Host: 'strict.test' }, ...good })).status, 421);
  const session = await edge.h2('open.test');
  assert.equal((await h2request(session, { ':authority': 'strict.test' })).status, 421);

  // A session that was resumed under another name's rules is none.
  const connect = (servername, options = {}) => tls.connect({
    port: edge.httpsPort, host: '127.0.0.1', servername, ca: edge.ca, ...options });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    const first = connect('open.test', { maxVersion });
    const ticket = once(first, 'session');
    await once(first, 'secureConnect');
    first.write('GET / HTTP/1.1\r\nHost: open.test\r\n\r\n');
    const [saved] = await within('a ticket', ticket);
    first.destroy();
    const second = connect('strict.test', { maxVersion, session: saved });
    second.write('GET / HTTP/1.1\r\nHost: strict.test\r\n\r\n');
    let got = '';
    second.on('data', (data) => (got += data));
    await within('the refusal', new Promise((resolve) => {
      second.on('error', resolve);
      second.on('close', resolve);
    }));
    assert.equal(got, '', maxVersion);
  }

  // Without its CA nobody is let in by mistake: the reload is refused, the start too.
  renameSync(ca.cert, `${ca.cert}.away`);
  const { code, stderr } = await edge.command('reload');
  assert.equal(code, 1);
  assert.match(stderr, /client-ca\.pem/);
  await assert.rejects(get('strict.test', {}));
  assert.equal((await get('strict.test', good)).status, 200);
  assert.equal((await edge.command('check')).code, 1);
});

test('limits: connections of an address, WebSockets included', async (t) => {
  const edge = await portero(t, `
hub: {apps: {one: {key: one-key, secret: one-secret}}}
sites:
  a.test, http://b.test:
    limits: {connections: 4 per client_ip}
    hub: one
    respond: page
  c.test: {respond: other}
`);
  const path = '/app/one-key?protocol=7';
  const sockets = [];
  for (let i = 0; i < 3; ++i) sockets.push(await edge.websocket(path, { host: 'a.test' }));
  const session = await edge.h2('a.test');
  assert.equal((await h2request(session, {})).status, 200);
  const over = await edge.get('/', { host: 'a.test' });
  assert.deepEqual([over.status, over.headers['retry-after'], over.headers.connection], [429, '5',
    'close']);
  assert.match(over.text, /Too many connections are open from your address/);
  assert.equal((await edge.get('/', { host: 'b.test', tls: false })).status, 429);
  assert.equal((await edge.get('/', { host: 'c.test' })).status, 200);
  await assert.rejects(edge.websocket(path, { host: 'a.test' }));
  assert.match(edge.stderr, /limit\.refused.*127\.0\.0\.1.*connections/);
  sockets[0].close();
  await waitFor('a place', async () => (await edge.get('/', { host: 'a.test' })).status === 200);
  // Idle ones past twice the limit are not even answered.
  const idle = [];
  for (let i = 0; i < 20; ++i) {
    const socket = tls.connect({ port: edge.httpsPort, host: '127.0.0.1', servername: 'a.test',
      ca: edge.ca });
    socket.on('error', () => {});
    idle.push(new Promise((resolve) => socket.on('close', resolve)));
    t.after(() => socket.destroy());
  }
  await within('the ninth to be cut', Promise.race(idle));
});

test('limits: handshakes are refused before they cost anything', async (t) => {
  const edge = await portero(t, `
sites:
  a.test: {limits: {handshakes: 3/min per client_ip}, respond: a}
  b.test: {respond: b}
`);
  const once3 = [];
  for (let i = 0; i < 3; ++i) once3.push((await edge.get('/', { host: 'a.test' })).status);
  assert.deepEqual(once3, [200, 200, 200]);
  await assert.rejects(edge.get('/', { host: 'a.test' }), /access denied|alert|ECONNRESET/i);
  assert.equal((await edge.get('/', { host: 'b.test' })).status, 200);
  assert.match(edge.stderr, /limit\.refused.*handshakes/);
  await pause(0);
});
