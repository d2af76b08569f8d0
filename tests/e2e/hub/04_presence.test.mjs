// Conformance items 57–68: presence.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { roomy, sharedHub } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

let rooms = 0;
const newRoom = () => `presence-room-${(rooms += 1)}`;

// A new socket that has joined; `client.roster` is what it was told.
async function join(room, member, application) {
  const client = await hub.connect(application);
  const frame = await client.subscribe(room, { member });
  client.roster = frame.data.presence;
  return client;
}

test('057 the others are told of a new member, itself is not', async () => {
  const room = newRoom();
  const first = await join(room, { user_id: '1', user_info: { name: 'A' } });
  const second = await join(room, { user_id: '2', user_info: { name: 'B' } });
  const frame = await first.expect('pusher_internal:member_added', {
    channel: room, data: { user_id: '2', user_info: { name: 'B' } } });
  assert.equal(typeof frame.raw.data, 'string');
  assert.deepEqual({ ...second.roster, ids: [...second.roster.ids].sort() }, {
    count: 2, ids: ['1', '2'], hash: { 1: { name: 'A' }, 2: { name: 'B' } } });
  await second.expectSilence();
});

test('058 a second socket of the same user is silent and counts once', async () => {
  const room = newRoom();
  const first = await join(room, { user_id: '1', user_info: { name: 'first' } });
  const second = await join(room, { user_id: '1', user_info: { name: 'second' } });
  assert.equal(second.roster.count, 1);
  assert.deepEqual(second.roster.hash, { 1: { name: 'first' } });
  await join(room, { user_id: 'marker' });
  await first.expect('pusher_internal:member_added', { data: { user_id: 'marker' } });
});

test('059 one of two sockets of a user closing is silent', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const first = await join(room, { user_id: '1' });
  await join(room, { user_id: '1' });
  await watcher.expect('pusher_internal:member_added');
  first.close();
  await first.closed;
  await join(room, { user_id: 'marker' });
  await watcher.expect('pusher_internal:member_added', { data: { user_id: 'marker' } });
});

test('060 the last socket of a user closing is told', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const first = await join(room, { user_id: '1' });
  const second = await join(room, { user_id: '1' });
  await watcher.expect('pusher_internal:member_added');
  first.close();
  await first.closed;
  second.close();
  const frame = await watcher.expect('pusher_internal:member_removed', {
    channel: room, data: { user_id: '1' } });
  assert.equal(typeof frame.raw.data, 'string');
});

test('061 1 and "1" are one user, "10" and "1e1" are two', async () => {
  const room = newRoom();
  await join(room, { user_id: 1 });
  assert.equal((await join(room, { user_id: '1' })).roster.count, 1);
  await join(room, { user_id: '10' });
  assert.equal((await join(room, { user_id: '1e1' })).roster.count, 3);
});

test('062 a reset connection ends its membership', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const client = await join(room, { user_id: '1' });
  await watcher.expect('pusher_internal:member_added');
  client.socket._socket.resetAndDestroy();
  await watcher.expect('pusher_internal:member_removed', { data: { user_id: '1' } });
});

test('063 user_id "0" is a member like any other', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const client = await join(room, { user_id: '0' });
  await watcher.expect('pusher_internal:member_added', { data: { user_id: '0' } });
  const again = await join(room, { user_id: '0' });
  assert.equal(again.roster.count, 2);
  client.close();
  again.close();
  await watcher.expect('pusher_internal:member_removed', { data: { user_id: '0' } });
});

test('064 a member without user_info joins', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const client = await join(room, { user_id: '1' });
  const info = client.roster.hash['1'];
  assert.ok(info === null || JSON.stringify(info) === '{}', JSON.stringify(info));
  await watcher.expect('pusher_internal:member_added');
});

test('065 the hash of a roster is an object, also for ids 0, 1, 2', async () => {
  const room = newRoom();
  for (const id of ['0', '1']) await join(room, { user_id: id, user_info: { id } });
  const { roster } = await join(room, { user_id: '2', user_info: { id: '2' } });
  assert.ok(!Array.isArray(roster.hash));
  assert.deepEqual(Object.keys(roster.hash), ['0', '1', '2']);
  assert.ok(Array.isArray(roster.ids));
});

test('066 the 101st member of 100 gets subscription_error 4100', { timeout: 60_000 }, async () => {
  const room = newRoom();
  for (let i = 0; i < 100; i += 1) await join(room, { user_id: `${i}` }, roomy);
  const late = await hub.connect(roomy);
  late.requestSubscription(room, { member: { user_id: '100' } });
  const frame = await late.expect('pusher:subscription_error', { channel: room });
  assert.equal(frame.data.status, 4100);
  // Another socket of a member is no new member.
  await join(room, { user_id: '7' }, roomy);
});

test('067 a member over the size limit gets subscription_error 4301', async () => {
  const room = newRoom();
  const client = await hub.connect(roomy);
  client.requestSubscription(room, { member: { user_id: '1', user_info: 'x'.repeat(2048) } });
  const frame = await client.expect('pusher:subscription_error', { channel: room });
  assert.equal(frame.data.status, 4301);
  await client.subscribe(room, { member: { user_id: '1', user_info: 'x'.repeat(1900) } });
});

test('068 unsubscribing ends the membership though the socket lives', async () => {
  const room = newRoom();
  const watcher = await join(room, { user_id: 'watcher' });
  const client = await join(room, { user_id: '1' });
  await watcher.expect('pusher_internal:member_added');
  client.unsubscribe(room);
  await watcher.expect('pusher_internal:member_removed', { data: { user_id: '1' } });
  await client.expectSilence();
});
