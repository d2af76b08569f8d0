// Conformance items 89–96: malformed messages and limits.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { A, counted, limited, sharedHub, strict } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

test('089 text that is no JSON: 4200, the socket stays usable', async () => {
  const client = await hub.connect();
  client.send('Hi');
  await client.expectError(4200);
  await client.subscribe('news');
});

test('090 JSON that is no event: 4200', async () => {
  const client = await hub.connect();
  const messages = ['5', '"x"', '[]', 'null', '{}', '{"event":[]}', '{"event":""}',
                    '{"event":null}', '{"event":5}', '', ' ',
                     '{"event":"pusher:ping"', '[{"event":"pusher:ping"}]',
                    '{"event":"pusher:ping"} {}'];
  for (const message of messages) {
    client.send(message);
    await client.expectError(4200);
  }
  await client.expectSilence();
});

test('091 a subscribe whose parts have the wrong type: 4200', async () => {
  const client = await hub.connect();
  const rows = ['sfsfsfs', 5, null, undefined, [], { channel: [] }, { channel: null }, {},
                { channel: 'private-x', auth: [] }, { channel: 'private-x', auth: {} }];
  for (const data of rows) {
    client.send({ event: 'pusher:subscribe', data });
    await client.expectError(4200);
  }
  client.send({ event: 'pusher:unsubscribe', data: {} });
  await client.expectError(4200);
  await client.expectSilence();
});

test('092 an unknown pusher: event: 4200, the socket stays', async () => {
  const client = await hub.connect();
  for (const event of ['pusher:foo', 'pusher:connection_established', 'pusher:error', 'pusher:']) {
    client.send({ event, data: {} });
    await client.expectError(4200);
  }
  await client.expectSilence();
});

test('093 JSON that is 10 000 deep: 4200 or Close, and the server lives', async () => {
  const nested = '['.repeat(4000) + ']'.repeat(4000);
  const objects = '{"a":'.repeat(1500) + '1' + '}'.repeat(1500);
  for (const text of [nested, objects, `{"event":"client-x","channel":"news","data":${nested}}`,
                      `{"event":"pusher:ping","data":${JSON.stringify(nested)}}`]) {
    const client = await hub.connect();
    client.send(text);
    const frame = await client.next();
    if (frame.event !== 'pusher:pong') assert.equal(frame.data.code, 4200);
  }
  const client = await hub.connect();
  client.send('['.repeat(10_000));
  const outcome = await Promise.race([client.closed, client.next().catch(() => client.closed)]);
  assert.ok(outcome.code === 1009 || outcome.data?.code === 4200, JSON.stringify(outcome));
  await (await hub.connect()).expectSilence();
});

test('094 the fourth message of three a minute: 4301, the socket stays', async () => {
  const client = await hub.connect(limited);
  for (let i = 0; i < 3; i += 1) {
    client.send({ event: 'pusher:ping' });
    await client.expect('pusher:pong');
  }
  for (let i = 0; i < 3; i += 1) {
    client.send({ event: 'pusher:ping' });
    await client.expectError(4301, /rate/i);
  }
  assert.equal(await client.ping('control frames are free'), 'control frames are free');
  assert.ok(client.isOpen);
  const other = await hub.connect(limited);
  await other.subscribe('news');
});

test('094a with `over: close` the fourth message closes with 4301', async () => {
  const client = await hub.connect(strict);
  for (let i = 0; i < 5; i += 1) client.send({ event: 'pusher:ping' });
  for (let i = 0; i < 3; i += 1) await client.expect('pusher:pong');
  await client.expectError(4301, /rate/i);
  await client.expectClose(4301);
});

test('095 without a limit ten subscribes are all answered', async () => {
  const client = await hub.connect();
  const channels = Array.from({ length: 10 }, (_, i) => `news-${i}`);
  for (const channel of channels) client.requestSubscription(channel);
  // Order is a promise within a channel; each channel's home answers for itself.
  const answered = [];
  for (const _ of channels) {
    const frame = await client.expect('pusher_internal:subscription_succeeded');
    answered.push(frame.channel);
  }
  assert.deepEqual(answered.sort(), channels);
});

test('096 a slow reader is dropped, the others miss nothing', { timeout: 60_000 }, async () => {
  const slow = await hub.connect(counted);
  const good = await hub.connect(counted);
  for (const client of [slow, good]) await client.subscribe('news');
  slow.socket._socket.pause();
  const before = hub.edge.rss;
  const { slow_consumers_closed: closed } = (await hub.edge.status()).hub;
  const data = 'x'.repeat(500_000);
  let sent = 0;
  const isDropped = async () =>
    (await hub.api(counted).get('/connections')).json.connections === 1;
  while (!(await isDropped())) {
    assert.ok(sent < 200, 'the slow reader was never dropped');
    await hub.api(counted).publish('news', `e${sent}`, data);
    const frame = await good.expect(`e${sent}`);
    assert.equal(frame.raw.data.length, data.length);
    sent += 1;
  }
  assert.ok(hub.edge.rss - before < 64 * 1024, `grew by ${hub.edge.rss - before} KiB`);
  assert.equal((await hub.edge.status()).hub.slow_consumers_closed, closed + 1);
  slow.socket._socket.resume();
  await slow.closed;
  await good.expectSilence();
});

test('096a a burst larger than the socket\'s buffers reaches a reader that keeps up', async () => {
  const client = await hub.connect(A);
  await client.subscribe('news');
  const data = 'y'.repeat(100_000);
  for (let i = 0; i < 20; i += 1) {
    await hub.api().publish('news', `e${i}`, data);
    await client.expect(`e${i}`);
  }
  await client.expectSilence();
});
