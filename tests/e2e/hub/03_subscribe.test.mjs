// Conformance items 35–56: subscribe and unsubscribe.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { waitFor } from '../harness.mjs';
import { A, B, counted, sharedHub } from './fixture.mjs';
import { channelAuth } from './pusher_client.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

// Nothing that was published before reaches the socket: the marker comes first.
async function expectNotSubscribed(client, channel) {
  await client.subscribe('marker');
  await hub.api().publish([channel, 'marker'], 'e', 'x');
  await client.expect('e', { channel: 'marker' });
}

test('035 a public channel', async () => {
  const client = await hub.connect();
  const frame = await client.subscribe('news');
  assert.deepEqual(frame.data, {});
  assert.equal(frame.raw.data, '{}');
});

test('036 the auth of a public channel does not matter', async () => {
  const client = await hub.connect();
  for (const [i, auth] of ['', 'junk', 'a:b', null].entries()) {
    await client.subscribe(`news-${i}`, { auth });
  }
});

test('037 data may be a JSON string', async () => {
  const client = await hub.connect();
  client.send({ event: 'pusher:subscribe', data: JSON.stringify({ channel: 'news' }) });
  await client.expect('pusher_internal:subscription_succeeded', { channel: 'news' });
});

test('038 a private channel with the right signature', async () => {
  const client = await hub.connect();
  const frame = await client.subscribe('private-news');
  assert.deepEqual(frame.data, {});
});

test('039 a wrong signature: 4009 and subscription_error, the socket stays', async () => {
  const client = await hub.connect();
  client.requestSubscription('private-news', { auth: `${A.key}:${'0'.repeat(64)}` });
  await client.expectUnauthorized('private-news', /signature/i);
  await expectNotSubscribed(client, 'private-news');
});

test('040 auth null or absent: 4009', async () => {
  const client = await hub.connect();
  client.requestSubscription('private-news', { auth: null });
  await client.expectUnauthorized('private-news');
  client.send({ event: 'pusher:subscribe', data: { channel: 'private-news' } });
  await client.expectUnauthorized('private-news');
});

test('041 the right signature with a foreign key is refused and the key is named', async () => {
  const client = await hub.connect();
  const auth = channelAuth(A, client.id, 'private-news').replace(A.key, 'other-key');
  client.requestSubscription('private-news', { auth });
  await client.expectUnauthorized('private-news', /key.*other-key/i);
});

test('042 a signature made for another socket or channel is refused', async () => {
  const client = await hub.connect();
  const other = await hub.connect();
  for (const auth of [channelAuth(A, other.id, 'private-news'),
                      channelAuth(A, client.id, 'private-other'),
                      channelAuth(B, client.id, 'private-news').replace(B.key, A.key)]) {
    client.requestSubscription('private-news', { auth });
    await client.expectUnauthorized('private-news');
  }
});

test('043 private-encrypted-x is private, its events are relayed untouched', async () => {
  const client = await hub.connect();
  client.requestSubscription('private-encrypted-x', { auth: 'a:b' });
  await client.expectUnauthorized('private-encrypted-x');
  await client.subscribe('private-encrypted-x');
  const data = '{"nonce":"bm9uY2U=","ciphertext":"Y2lwaGVydGV4dA=="}';
  await hub.api().publish('private-encrypted-x', 'e', data);
  const frame = await client.expect('e', { channel: 'private-encrypted-x' });
  assert.equal(frame.raw.data, data);
});

test('044 a presence channel answers with its members', async () => {
  const client = await hub.connect();
  const frame = await client.subscribe('presence-044', {
    member: { user_id: '1', user_info: { name: 'A' } } });
  assert.deepEqual(frame.data,
                   { presence: { count: 1, ids: ['1'], hash: { 1: { name: 'A' } } } });
});

test('045 channel_data changed after signing: 4009', async () => {
  const client = await hub.connect();
  const auth = channelAuth(A, client.id, 'presence-045', '{"user_id":"1"}');
  client.requestSubscription('presence-045', { auth, channelData: '{"user_id":"2"}' });
  await client.expectUnauthorized('presence-045');
  client.requestSubscription('presence-045', { auth });
  await client.expectUnauthorized('presence-045');
});

test('046 presence without user_id is refused', async () => {
  const client = await hub.connect();
  client.requestSubscription('presence-046', { member: { user_info: { name: 'A' } } });
  await client.expectUnauthorized('presence-046');
  client.requestSubscription('presence-046', {});
  await client.expectUnauthorized('presence-046');
});

test('047 channel_data that is no string or no JSON: 4200', async () => {
  const client = await hub.connect();
  client.requestSubscription('presence-047', { data: { channel_data: { user_id: '1' } } });
  await client.expectError(4200);
  client.requestSubscription('presence-047', { channelData: 'not JSON' });
  await client.expectError(4200);
  await client.expectSilence();
});

test('048 subscribing twice does not deliver twice', async () => {
  const client = await hub.connect();
  await client.subscribe('news-048');
  await client.subscribe('news-048');
  await hub.api().publish('news-048', 'first', 'x');
  await hub.api().publish('news-048', 'second', 'x');
  await client.expect('first');
  await client.expect('second');
});

test('049 ten channels on one socket are independent', async () => {
  const client = await hub.connect();
  for (let i = 0; i < 10; i += 1) await client.subscribe(`news-${i}`);
  client.unsubscribe('news-3');
  await client.expectSilence();
  await hub.api().publish(['news-3', 'news-4'], 'e', 'x');
  await client.expect('e', { channel: 'news-4' });
});

test('050 unsubscribe is silent and ends delivery', async () => {
  const client = await hub.connect();
  await client.subscribe('news-050');
  client.unsubscribe('news-050');
  await client.expectSilence();
  await expectNotSubscribed(client, 'news-050');
});

test('051 unsubscribe from a channel never joined is silent', async () => {
  const client = await hub.connect();
  client.unsubscribe('never-joined');
  await client.expectSilence();
});

test('052 a channel is unoccupied when the last one leaves', async () => {
  const client = await hub.connect();
  await client.subscribe('news-052');
  assert.equal((await hub.api().get('/channels/news-052')).json.occupied, true);
  client.unsubscribe('news-052');
  await waitFor('the channel to be empty', async () =>
    !(await hub.api().get('/channels/news-052')).json.occupied);
});

test('053 failed subscriptions leave nothing behind', { timeout: 60_000 }, async () => {
  const client = await hub.connect(counted);
  const burst = async (round) => {
    for (let i = 0; i < 10_000; i += 1) {
      client.requestSubscription(`private-${round}-${i}`, { auth: 'a:b' });
      if (i % 100 === 99) for (let j = 0; j < 200; j += 1) await client.next();
    }
  };
  await burst('warm');
  const before = hub.edge.rss;
  await burst('again');
  assert.ok(hub.edge.rss - before < 2048, `grew by ${hub.edge.rss - before} KiB`);
  assert.deepEqual((await hub.api(counted).get('/channels')).json, { channels: {} });
});

test('054 a name that is too long or has illegal characters is refused', async () => {
  const client = await hub.connect();
  for (const channel of ['x'.repeat(201), 'a b', 'a/b', 'a:b', 'ä', '']) {
    client.requestSubscription(channel);
    const frame = await client.next();
    if (frame.event === 'pusher:error') await client.expect('pusher:subscription_error');
    else assert.equal(frame.event, 'pusher:subscription_error', `${channel}`);
  }
  await client.subscribe('x'.repeat(200));
  await client.subscribe('A-z_0=9@b,c.d;e');
});

test('055 a user\'s own channel needs a sign-in', async () => {
  const client = await hub.connect();
  client.requestSubscription('#server-to-user-1');
  const frame = await client.next();
  if (frame.event === 'pusher:error') await client.expect('pusher:subscription_error');
  else assert.equal(frame.event, 'pusher:subscription_error');
  await expectNotSubscribed(client, '#server-to-user-1');
});

test('056 a prefix counts with its dash only: privateer is public', async () => {
  const client = await hub.connect();
  await client.subscribe('privateer');
  await client.subscribe('presenced');
});
