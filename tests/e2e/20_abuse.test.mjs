// After every kind of abuse the counts come back to nothing, good requests were served meanwhile,
// and nothing is left that would hold up a stop.
import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, pause, portero, waitFor, within } from './harness.mjs';
import { frame, frameType, H2Wire, requestFields } from './lib/h2wire.mjs';

const rounds = 20;
const clientHello = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
const settings = frame(frameType.settings, 0, 0);
const upgrade = 'GET /tunnel HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n' +
                'Upgrade: x\r\n\r\n';

// Each leaves behind what it opened, broken in its own way.
const abuses = {
  'connections that say nothing': async (edge) => {
    (await edge.wire()).socket.resetAndDestroy();
    (await edge.wire()).socket.end();
  },
  'half a handshake': async (edge) => {
    const wire = (await edge.wire({ port: edge.httpsPort })).write(clientHello);
    await pause(5);
    wire.socket.resetAndDestroy();
    (await edge.wire({ port: edge.httpsPort })).write('GET / HTTP/1.1\r\n\r\n').socket.end();
  },
  'half a head, and garbage': async (edge) => {
    (await edge.wire()).write('GET / HTTP/1.1\r\nHo').socket.end();
    (await edge.wire({ tls: true })).write('\0\0\0\0\r\n\r\n');
  },
  'uploads that break off': async (edge) => {
    for (const tls of [false, true]) {
      const wire = await edge.wire({ tls });
      wire.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab');
      await pause(5);
      wire.socket.destroy();
    }
  },
  'answers that nobody reads': async (edge) => {
    const wire = (await edge.wire()).write('GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n');
    wire.socket.pause();
    await pause(10);
    wire.socket.resetAndDestroy();
  },
  'tunnels that break off': async (edge) => {
    for (const tls of [false, true]) {
      const wire = (await edge.wire({ tls })).write(upgrade);
      assert.equal((await wire.head()).status, 101);
      wire.socket[tls ? 'destroy' : 'resetAndDestroy']();
    }
  },
  'HTTP/2 streams that are reset': async (edge) => {
    const wire = await H2Wire.connect(edge);
    for (let i = 0; i < 300; i++) {
      wire.request(2 * i + 1, requestFields('/slow'));
      wire.write(frame(frameType.reset, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8])));
    }
    await pause(5);
    wire.close();
  },
  'a flood of SETTINGS, unread': async (edge) => {
    const wire = await H2Wire.connect(edge);
    wire.socket.pause();
    for (let i = 0; i < 40; i++) wire.write(Buffer.concat(Array(500).fill(settings)));
    edge.flooders.push(wire);
  },
  'HTTP/2 that makes no sense': async (edge) => {
    (await H2Wire.connect(edge)).write(frame(frameType.data, 0, 7, Buffer.alloc(100)));
    (await H2Wire.connect(edge)).request(2, requestFields()).close();
  },
};

async function connections(edge) {
  return (await edge.status()).workers.reduce((sum, worker) => sum + worker.connections, 0);
}

test('abuse: nothing is left of it', async (t) => {
  const upstream = await backend(t, (request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/big') response.write(Buffer.alloc(4 << 20));
    else request.resume().on('end', () => response.end('ok')).on('error', () => {});
  });
  upstream.server.on('upgrade', (_, socket) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'));
  const edge = await portero(t, `
grace_period: 20s
sites:
  localhost: &site {proxy: ${upstream.address}}
  http://localhost: *site
`);
  edge.flooders = [];
  for (const [name, abuse] of Object.entries(abuses)) {
    await t.test(name, async () => {
      await Promise.all(Array.from({ length: rounds }, () => abuse(edge)));
      assert.equal((await edge.get('/')).text, 'ok');
      assert.equal((await edge.get('/', { tls: false })).text, 'ok');
      if (!edge.flooders.length) await waitFor(`the end of ${name}`, async () =>
        (await connections(edge)) === 0, 12);
    });
  }
  await t.test('a flooder is sent away although it reads nothing', async () => {
    await waitFor('the flooders to be gone', async () => (await connections(edge)) === 0, 12);
  });
  const { upstreams } = await edge.status();
  assert.ok(upstreams.every((one) => one.in_flight === 0), JSON.stringify(upstreams));
  const started = Date.now();
  edge.signal('SIGTERM');
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
  assert.ok(Date.now() - started < 1_500, `stopping took ${Date.now() - started} ms`);
});
