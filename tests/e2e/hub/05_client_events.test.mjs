// Conformance items 69–81: client events.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { A, B, open, sharedHub, silent } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

let names = 0;
const newName = (prefix) => `${prefix}${(names += 1)}`;

// Sockets that have joined a channel.
async function members(channel, count, application = A) {
  const clients = [];
  for (let i = 0; i < count; i += 1) {
    const client = await hub.connect(application);
    const member = channel.startsWith('presence-') ? { user_id: `user-${i}` } : undefined;
    await client.subscribe(channel, { member });
    clients.push(client);
  }
  if (channel.startsWith('presence-')) {
    for (const [i, client] of clients.entries()) {
      for (let later = i + 1; later < count; later += 1) {
        await client.expect('pusher_internal:member_added');
      }
    }
  }
  return clients;
}

// The next thing on the channel is a marker: nothing came before.
async function expectNothing(client, channel, application = A) {
  await hub.api(application).publish(channel, 'marker', 'x');
  await client.expect('marker', { channel });
}

test('069 members of a private channel get it, the sender does not', async () => {
  const channel = newName('private-');
  const [sender, first, second] = await members(channel, 3);
  sender.send({ event: 'client-typing', channel, data: { user: 'A' } });
  for (const receiver of [first, second]) {
    const frame = await receiver.expect('client-typing', { channel, data: { user: 'A' } });
    assert.equal(frame.user_id, undefined);
    assert.equal(typeof frame.raw.data, 'string', 'Swift reads data as a string only');
  }
  await expectNothing(sender, channel);
});

test('070 on a presence channel it carries the user_id of the sender', async () => {
  const channel = newName('presence-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: 'client-typing', channel, data: {} });
  const frame = await receiver.expect('client-typing', { channel });
  assert.equal(frame.user_id, 'user-0');
});

test('071 a forged user_id and other keys are not relayed', async () => {
  const channel = newName('presence-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: 'client-typing', channel, data: {}, user_id: 'root', socket_id: '1.1',
                admin: true });
  const { raw } = await receiver.expect('client-typing');
  assert.deepEqual(Object.keys(raw).sort(), ['channel', 'data', 'event', 'user_id']);
  assert.equal(raw.user_id, 'user-0');
});

test('072 a sender that has not joined: 4009, nobody receives', async () => {
  const channel = newName('private-');
  const [receiver] = await members(channel, 1);
  const stranger = await hub.connect();
  stranger.send({ event: 'client-typing', channel, data: {} });
  await stranger.expectError(4009, /not a member/);
  await expectNothing(receiver, channel);
});

test('073 an app without client events: 4301', async () => {
  const channel = newName('private-');
  const [sender, receiver] = await members(channel, 2, silent);
  sender.send({ event: 'client-typing', channel, data: {} });
  await sender.expectError(4301, /client messaging/);
  await expectNothing(receiver, channel, silent);
});

test('074 without data it is relayed', async () => {
  const channel = newName('private-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: 'client-typing', channel });
  await receiver.expect('client-typing', { channel });
  await sender.expectSilence();
});

test('075 an event without client- is ignored', async () => {
  const channel = newName('private-');
  const [sender, receiver] = await members(channel, 2);
  for (const event of ['foo', 'client', 'Client-x', 'pusher_internal:member_added']) {
    sender.send({ event, channel, data: {} });
  }
  await sender.expectSilence();
  await expectNothing(receiver, channel);
});

test('076 a channel that is missing or no string: 4200', async () => {
  const client = await hub.connect();
  for (const channel of [undefined, null, 5, [], {}]) {
    client.send({ event: 'client-typing', channel, data: {} });
    await client.expectError(4200);
  }
});

test('077 data that is a JSON string arrives as the value it holds', async () => {
  const channel = newName('private-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: 'client-typing', channel, data: '{"a":1}' });
  await receiver.expect('client-typing', { channel, data: { a: 1 } });
});

test('078 on a public channel only an app that accepts all relays it', async () => {
  const channel = newName('news-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: 'client-typing', channel, data: {} });
  await sender.expectError(4301);
  await expectNothing(receiver, channel);

  const [free, other] = await members(channel, 2, open);
  free.send({ event: 'client-typing', channel, data: {} });
  await other.expect('client-typing', { channel });
});

test('079 a list of channels is not honoured', async () => {
  const [named, listed] = [newName('private-'), newName('private-')];
  const [sender, receiver] = await members(named, 2);
  for (const client of [sender, receiver]) await client.subscribe(listed);
  sender.send({ event: 'client-typing', channel: named, channels: [named, listed], data: {} });
  await receiver.expect('client-typing', { channel: named });
  await expectNothing(receiver, listed);
});

test('080 the same channel of another app gets nothing', async () => {
  const channel = newName('private-');
  const [sender] = await members(channel, 1);
  const [stranger] = await members(channel, 1, B);
  sender.send({ event: 'client-typing', channel, data: {} });
  await sender.expectSilence();
  await hub.api(A).publish(channel, 'of A', 'x');
  await expectNothing(stranger, channel, B);
});

test('081 a user_id that nobody signed is not put on client events', async () => {
  const channel = newName('news-');
  const sender = await hub.connect(open);
  const receiver = await hub.connect(open);
  await sender.subscribe(channel, { channelData: '{"user_id":"X"}' });
  await receiver.subscribe(channel);
  sender.send({ event: 'client-typing', channel, data: {} });
  const frame = await receiver.expect('client-typing', { channel });
  assert.equal(frame.user_id, undefined);
});

test('081a a name over the limit: 4301', async () => {
  const channel = newName('private-');
  const [sender, receiver] = await members(channel, 2);
  sender.send({ event: `client-${'x'.repeat(200)}`, channel, data: {} });
  await sender.expectError(4301, /name/i);
  await sender.expectSilence();
  await receiver.expectSilence();
});
