// Conformance items 27–34: ping and liveness. The app `quick` has a ping interval of one second.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { quick, sharedHub } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

// Silent from now on: pinged once, then told and closed within one more interval.
async function expectPruned(client) {
  const started = Date.now();
  await client.waitForPings(1);
  await client.expectError(4201, /pong/i);
  await client.expectClose(4201);
  const elapsed = Date.now() - started;
  assert.ok(elapsed >= 1500 && elapsed < 4500, `closed after ${elapsed} ms`);
}

test('027 pusher:ping is answered by pusher:pong', async () => {
  const client = await hub.connect();
  client.send({ event: 'pusher:ping' });
  await client.expect('pusher:pong');
});

test('028 the data of a ping does not matter', async () => {
  const client = await hub.connect();
  for (const data of [{}, '{}', '', null, []]) {
    client.send({ event: 'pusher:ping', data });
    await client.expect('pusher:pong');
  }
});

test('029 pusher:pong gets no answer', async () => {
  const client = await hub.connect();
  client.send({ event: 'pusher:pong', data: {} });
  await client.expectSilence();
});

test('030 a subscribed socket that stays silent is pinged, then closed 4201', async () => {
  const client = await hub.connect(quick, { autoPong: false });
  await client.subscribe('news');
  await expectPruned(client);
});

test('031 any sign of life keeps a socket', async () => {
  const signs = {
    PONG: (client) => client.socket.pong(),
    'pusher:pong': (client) => client.send({ event: 'pusher:pong', data: {} }),
    'an ignored event': (client) => client.send({ event: 'hello', channel: 'news' }),
  };
  await Promise.all(Object.values(signs).map(async (sign) => {
    const client = await hub.connect(quick, { autoPong: false });
    await client.subscribe('news');
    for (let pings = 1; pings <= 3; pings += 1) {
      await client.waitForPings(pings);
      sign(client);
    }
    await client.expectSilence();
  }));
});

test('032 the server pings with opcode 9, never with pusher:ping', async () => {
  const client = await hub.connect(quick);
  await client.ping('I use control frames');
  await client.waitForPings(2);
  await client.expectSilence();
});

test('033 a socket without subscription is pinged and closed too', async () => {
  await expectPruned(await hub.connect(quick, { autoPong: false }));
});

test('034 a client that only answers PING frames lives on', async () => {
  const client = await hub.connect(quick);
  await client.waitForPings(4);
  await client.expectSilence();
});
