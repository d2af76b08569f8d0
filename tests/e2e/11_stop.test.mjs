import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, freePort, pause, portero, waitFor, within } from './harness.mjs';
import { hubBlock, subscriber } from './lib/hub.mjs';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('stop: TERM lets requests end, then exits with 0', async (t) => {
  const pending = [];
  const upstream = await backend(t, (_, response) => pending.push(response));
  const edge = await portero(t, `
grace_period: 5s
sites:
  localhost: &site {proxy: ${upstream.address}}
  http://localhost: *site
`);
  const wire = (await edge.wire()).write(request);
  const idle = await edge.wire();
  await waitFor('the request', () => pending.length === 1);
  edge.signal('SIGTERM');
  await idle.rest();
  await waitFor('the listener to close', async () => {
    try {
      (await edge.wire()).close();
    } catch {
      return true;
    }
  });
  assert.ok(edge.running, 'requests are under way');
  for (const response of pending) response.end('late');
  const answer = await wire.answer();
  assert.equal(answer.text, 'late');
  assert.match(answer.headers.connection, /close/i);
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
});

test('stop: an HTTP/2 client gets all of its answer, however slowly it reads', async (t) => {
  const body = 'x'.repeat(400_000);
  const upstream = await backend(t, async (_, response) => {
    response.write('begun');
    await pause(300);
    response.end(body);
  });
  const edge = await portero(t, `
grace_period: 8s
sites: {localhost: {proxy: ${upstream.address}}}
`);
  const session = await edge.h2();
  const goaways = [];
  session.on('goaway', (code) => goaways.push(code));
  const stream = session.request({ ':path': '/', ':authority': 'localhost' });
  await waitFor('the request', () => upstream.requests.length === 1);
  edge.signal('SIGTERM');
  await waitFor('GOAWAY', () => goaways.length > 0);
  let length = 0;
  for await (const data of stream) {
    length += data.length;
    await pause(30);
  }
  assert.equal(length, 'begun'.length + body.length);
  assert.deepEqual(goaways.filter((code) => code !== 0), []);
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
});

test('stop: what has not become a request does not hold it up', async (t) => {
  const edge = await portero(t, `
grace_period: 20s
sites:
  localhost: &site {respond: ok}
  http://localhost: *site
`);
  await edge.wire();                                             // says nothing
  (await edge.wire()).write('GET / HTTP/1.1\r\nHo');             // half a head
  await edge.wire({ port: edge.httpsPort });                     // no ClientHello
  (await edge.wire({ port: edge.httpsPort })).write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1]));
  await edge.wire({ tls: true });                                // a handshake, then silence
  await edge.h2();
  await waitFor('the connections', async () =>
    (await edge.status()).workers.reduce((sum, w) => sum + w.connections, 0) === 6);
  const started = Date.now();
  edge.signal('SIGTERM');
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
  assert.ok(Date.now() - started < 4_000, `${Date.now() - started} ms`);
});

test('stop: the grace period ends what does not', async (t) => {
  const upstream = await backend(t, () => {});
  const site = `  http://localhost: {proxy: ${upstream.address}}\n`;
  const edge = await portero(t, `grace_period: 1s\nsites:\n${site}`);
  (await edge.wire()).write(request);
  await waitFor('the request', () => upstream.requests.length === 1);
  const started = Date.now();
  edge.signal('SIGTERM');
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
  assert.ok(Date.now() - started >= 800, 'the grace period was given');
  assert.ok(Date.now() - started < 5_000);
});

test('stop: hub sockets get Close 4200, spread over the grace period', async (t) => {
  const hub = hubBlock(await freePort());
  const edge = await portero(t, `grace_period: 2s\n${hub}sites:\n  localhost: {hub: true}\n`);
  const sockets = await Promise.all(Array.from({ length: 40 }, () => subscriber(edge, 'news')));
  const started = Date.now();
  const times = [];
  for (const socket of sockets) socket.closed.then(() => times.push(Date.now() - started));
  edge.signal('SIGTERM');
  const closes = await within('the closes', Promise.all(sockets.map((s) => s.closed)));
  assert.ok(closes.every(({ code }) => code === 4200), JSON.stringify(closes.slice(0, 5)));
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
  assert.ok(Math.max(...times) - Math.min(...times) > 500, `closed within ${times}`);
});

test('stop: `portero stop` does the same', async (t) => {
  const edge = await portero(t, 'sites:\n  http://localhost: {respond: x}\n');
  assert.equal((await edge.command('stop')).code, 0);
  assert.deepEqual(await within('the end', edge.exited), { code: 0, signal: null });
});
