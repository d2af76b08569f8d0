// Conformance item 119: the end of a server, seen by its sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Hub } from './fixture.mjs';

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
