// How long a client may take, per site; answers whose end only the connection can show.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';

import { backend, h2request, portero, rawBackend, waitFor, within } from './harness.mjs';

test('limits: a site has timeouts of its own', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `
timeouts: {idle: 30s, body: 30s}
sites:
  quick.test: &quick
    timeouts: {idle: 300ms, body: 300ms}
    proxy: ${upstream.address}
  http://quick.test: *quick
  http://slow.test: {proxy: ${upstream.address}}
`);
  const get = (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const wire = (await edge.wire()).write(get('slow.test'));
  await wire.answer();
  wire.write(get('quick.test'));
  await wire.answer();
  await within('the end of an idle connection', wire.rest(), 3);

  const upload = await edge.wire();
  upload.write('POST / HTTP/1.1\r\nHost: quick.test\r\nContent-Length: 10\r\n\r\nabc');
  assert.equal((await within('the refusal', upload.answer(), 3)).status, 408);

  const session = await edge.h2('quick.test');
  assert.equal((await h2request(session, { ':path': '/' })).status, 200);
  await within('the end of an idle session', once(session, 'close'), 5);
});

test('limits: a body that breaks off is a reset to an HTTP/1.0 client', async (t) => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n';
  const upstream = await rawBackend(t, (socket) => {
    socket.once('data', (data) => {
      socket.write(chunked);
      setTimeout(() => socket.end(data.includes('/whole') ? '0\r\n\r\n' : ''), 100);
    });
  });
  const edge = await portero(t, `
sites:
  localhost: &site {proxy: ${upstream.address}}
  http://localhost: *site
`);
  for (const tls of [false, true]) {
    for (const [target, expected] of [['/whole', null], ['/cut', 'ECONNRESET']]) {
      const wire = await edge.wire({ tls });
      let failure = null;
      wire.socket.on('error', ({ code }) => (failure = code));
      wire.write(`GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
      await within('the end', new Promise((ended) => wire.socket.once('close', ended)));
      assert.equal(failure, expected, `${target}, TLS ${tls}`);
    }
  }
});

test('limits: an address of a name is looked up as often as `resolve` says', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `
log: {level: debug, format: json}
sites:
  http://localhost: {proxy: {to: "localhost:${upstream.port}", resolve: 1s}}
  http://b.test: {proxy: {to: "b.localhost:${upstream.port}", resolve: 1h}}
`);
  assert.equal((await edge.get('/', { tls: false })).status, 200);
  const lookups = () => edge.stderr.split('\n').filter((line) => line.includes('names.looked_up'));
  await waitFor('the name to be looked up', () => lookups().length >= 2, 6);
  assert.ok(lookups().every((line) => JSON.parse(line).names === 1), 'the other one is not due');
});
