import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';

import { WebSocketServer } from 'ws';

import { backend, portero, rawBackend, websocketOver, within } from './harness.mjs';

const refusal = 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno';

async function echoBackend(t) {
  const upstream = await backend(t);
  const sockets = new WebSocketServer({ noServer: true });
  upstream.server.on('upgrade', (request, socket, head) => {
    if (request.url === '/refuse') return socket.end(refusal);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
      ws.on('close', (code) => upstream.server.emit('socket-closed', code));
      if (request.url === '/bye') ws.close(4321, 'bye');
    });
  });
  return upstream;
}

const site = (upstream) => `
sites:
  localhost: {proxy: ${upstream.address}}
  http://localhost: {proxy: ${upstream.address}}
`;

test('tunnel: a WebSocket backend', async (t) => {
  const upstream = await echoBackend(t);
  const edge = await portero(t, site(upstream));

  for (const secure of [true, false]) {
    await t.test(`echoes ${secure ? 'wss' : 'ws'}, small and large, text and binary`, async () => {
      const socket = await edge.websocket('/', { tls: secure });
      socket.send('hello');
      assert.equal(await socket.next(), 'hello');
      const large = Buffer.alloc(3 << 20, 'y');
      socket.send(large);
      assert.deepEqual(await within('the echo', socket.next()), large);
    });
  }
  await t.test('the client\'s close reaches the backend', async () => {
    const socket = await edge.websocket('/');
    const closed = once(upstream.server, 'socket-closed');
    socket.socket.close(4001, 'done');
    assert.equal((await within('the close', closed))[0], 4001);
  });
  await t.test('the backend\'s close reaches the client', async () => {
    const socket = await edge.websocket('/bye');
    assert.deepEqual(await within('the close', socket.closed), { code: 4321, reason: 'bye' });
  });
  await t.test('a client that vanishes frees the backend', async () => {
    const socket = await edge.websocket('/');
    const closed = once(upstream.server, 'socket-closed');
    socket.close();
    await within('the close', closed);
  });
  await t.test('a refused upgrade is an answer, and the next request is a request', async () => {
    const wire = await edge.wire();
    wire.write('GET /refuse HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n'
      + 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
      + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
      + 'GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    assert.equal((await wire.answer()).status, 403);
    assert.equal(JSON.parse((await wire.answer()).text).url, '/next');
  });
  await t.test('over HTTP/2, beside other streams (RFC 8441)', async () => {
    const session = await edge.h2();
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request({
      ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/',
      ':authority': 'localhost', 'sec-websocket-version': '13',
    }, { endStream: false });
    const [headers] = await within('the answer', once(stream, 'response'));
    assert.equal(headers[':status'], 200);
    const socket = websocketOver(stream);
    const large = Buffer.alloc(1 << 20, 'z').subarray(0, 900_000);
    socket.send('over h2');
    assert.equal(await within('the echo', socket.next()), 'over h2');
    socket.send(large);
    assert.deepEqual(await within('the echo', socket.next()), large);
  });
});

test('tunnel: a 200 is not taken for an upgrade', async (t) => {
  const upstream = await rawBackend(t, (socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  const edge = await portero(t, site(upstream));
  const wire = await edge.wire();
  wire.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  const answer = await wire.answer();
  assert.deepEqual([answer.status, answer.text], [200, 'ok']);
  assert.equal((await wire.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n').answer()).text, 'ok');
});
