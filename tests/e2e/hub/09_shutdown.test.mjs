// Conformance item 119: the end of a server, seen by its sockets.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { A, Hub } from './fixture.mjs';

test('119 at shutdown every socket gets Close 4200, spread over the grace period', async (t) => {
  const hub = new Hub();
  await hub.start(t);
  const clients = await Promise.all(Array.from({ length: 40 }, () => hub.connect()));
  const started = Date.now();
  const closes = clients.map((client) =>
    client.closed.then(({ code }) => ({ code, after: Date.now() - started })));
  hub.edge.signal('SIGTERM');
  const ended = await Promise.all(closes);
  assert.deepEqual([...new Set(ended.map(({ code }) => code))], [4200]);
  const times = ended.map(({ after }) => after).sort((a, b) => a - b);
  assert.ok(times.at(-1) - times[0] > 500, `all within ${times.at(-1) - times[0]} ms`);
  assert.ok(times.at(-1) < 4000, `the last after ${times.at(-1)} ms`);
  const { code, signal } = await hub.edge.exited;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('119a a subscribed socket is served until its Close', async (t) => {
  const hub = new Hub();
  await hub.start(t);
  const clients = await Promise.all(Array.from({ length: 10 }, () => hub.connect()));
  for (const client of clients) await client.subscribe('presence-room', {
    member: { user_id: client.id } });
  hub.edge.signal('SIGTERM');
  for (const client of clients) await client.expectClose(4200);
});

test('119b a publish that asks a worker that has ended does not hold up the end', async (t) => {
  const hub = new Hub();
  await hub.start(t);
  const api = hub.api(A);
  const body = JSON.stringify({ name: 'e', channels: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
                                data: '{}', info: 'subscription_count' });
  const wire = net.connect(hub.listen, '127.0.0.1');
  wire.on('error', () => {});
  wire.write(`POST ${api.sign('POST', '/events', { body })} HTTP/1.1\r\nHost: localhost\r\n` +
             `Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`);
  await setTimeout(200);  // it is read
  const started = Date.now();
  hub.edge.signal('SIGTERM');
  await setTimeout(800);  // the other worker has nothing to wait for
  wire.write(body.slice(9));
  const { code, signal } = await hub.edge.exited;
  wire.destroy();
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.ok(Date.now() - started < 4000, `after ${Date.now() - started} ms`);
});
