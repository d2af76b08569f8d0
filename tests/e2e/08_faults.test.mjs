// Backends that refuse, hang, lie or die: a clean error or a visibly broken transfer, never a
// wrong body.
import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, freePort, h2request, pause, portero, rawBackend, waitFor } from './harness.mjs';

const site = (address) => `
threads: 1
sites:
  localhost: &site
    proxy: {to: "${address}", timeouts: {connect: 1s, response: 1s}}
  http://localhost: *site
`;

// A backend that answers every request with the same bytes and then closes, or not.
const saying = (t, bytes, { close = true } = {}) => rawBackend(t, (socket) => {
  socket.on('data', () => (close ? socket.end(bytes) : socket.write(bytes)));
});

test('faults: a backend that refuses is 502', async (t) => {
  const edge = await portero(t, site(`127.0.0.1:${await freePort()}`));
  assert.equal((await edge.get('/', { tls: false })).status, 502);
  assert.equal((await h2request(await edge.h2(), { ':path': '/' })).status, 502);
});

test('faults: a backend that never answers is 504, in time', async (t) => {
  const edge = await portero(t, site((await rawBackend(t, () => {})).address));
  const started = Date.now();
  assert.equal((await edge.get('/', { tls: false })).status, 504);
  assert.ok(Date.now() - started < 5_000);
});

test('faults: an answer that is not HTTP is 502', async (t) => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const broken = {
    'no HTTP': 'hello\r\n\r\n',
    'another protocol': 'SSH-2.0-OpenSSH\r\n\r\n',
    'a close before a byte': '',
    'a cut head': `${ok}Content-Le`,
    'a head too large': `${ok}X: ${'x'.repeat(200_000)}\r\n\r\n`,
    'two lengths': `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    'a signed length': `${ok}Content-Length: +2\r\n\r\nab`,
    'NUL in a field': `${ok}X: a\0b\r\nContent-Length: 0\r\n\r\n`,
    'space before a colon': `${ok}Content-Length : 2\r\n\r\nab`,
    'an upgrade nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
    'a status out of range': 'HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(broken)) {
    await t.test(name, async (t) => {
      const edge = await portero(t, site((await saying(t, bytes)).address));
      assert.equal((await edge.get('/', { tls: false })).status, 502);
      assert.equal((await h2request(await edge.h2(), { ':path': '/' })).status, 502);
    });
  }
});

test('faults: a body that ends too soon is visibly cut', async (t) => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const cut = {
    'a length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this',
    'chunks': `${chunked}9\r\nonly this\r\n`,
    'inside a chunk': `${chunked}ff\r\nonly this`,
    'a broken chunk': `${chunked}9\r\nonly this\r\nzz\r\n`,
  };
  for (const [name, bytes] of Object.entries(cut)) {
    await t.test(name, async (t) => {
      const edge = await portero(t, site((await saying(t, bytes)).address));
      await assert.rejects(edge.get('/', { tls: false }));
      await assert.rejects(h2request(await edge.h2(), { ':path': '/' }));
      const wire = await edge.wire();
      wire.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      assert.ok(!(await wire.rest()).toString().includes('\r\n0\r\n'), 'no last chunk');
    });
  }
});

test('faults: bytes beyond an answer are dropped with the connection', async (t) => {
  const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX: evil\r\n\r\n';
  const upstream = await saying(t, extra, { close: false });
  const edge = await portero(t, site(upstream.address));
  for (let i = 0; i < 3; i++) {
    const answer = await edge.get('/', { tls: false });
    assert.deepEqual([answer.text, answer.headers.x], ['ok', undefined]);
  }
});

test('faults: a kept connection that died is replaced for GET, not for POST', async (t) => {
  let dying = false;
  const upstream = await rawBackend(t, (socket, number) => {
    socket.on('data', () => {
      if (dying && number === 0) socket.destroy();
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${number}`);
    });
  });
  const edge = await portero(t, site(upstream.address));
  const get = (options) => edge.get('/', { tls: false, ...options });
  assert.equal((await get()).text, '0');
  dying = true;
  assert.equal((await get()).text, '1');
  dying = false;

  const other = await rawBackend(t, (socket, number) => {
    let requests = 0;
    socket.on('data', () => {
      if (number === 0 && ++requests === 2) socket.destroy();
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${number}`);
    });
  });
  const posting = await portero(t, site(other.address));
  const post = () => posting.get('/', { tls: false, method: 'POST', body: 'order' });
  assert.equal((await post()).text, '0');
  assert.equal((await post()).status, 502, 'an order is not placed twice');
});

test('faults: a connection that the backend closed while idle costs no request', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, site(upstream.address));
  for (let i = 0; i < 5; i++) {
    const answer = await edge.get('/', { tls: false, method: 'POST', body: 'x' });
    assert.equal(answer.status, 200);
    for (const socket of upstream.sockets) socket.destroy();
    await waitFor('the sockets to close', () => upstream.sockets.size === 0);
    await pause(50);  // the FIN reaches portero
  }
});
