// The real packages against the hub: pusher-js, laravel-echo and pusher, with a server that signs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { waitFor, within } from '../harness.mjs';
import {
  authServer, bound, called, echo, publisher, pusherJs, subscribed,
} from './application.mjs';
import { A, counted, sharedHub } from './fixture.mjs';

const hub = sharedHub();
let server;
beforeEach(() => (server ??= publisher(A, hub.listen)));

const connect = async (t, user = '1') => {
  const endpoint = await authServer(t, server);
  return pusherJs(t, A, hub.edge.httpPort, endpoint(user));
};
const connectEcho = async (t, user = '1') => {
  const endpoint = await authServer(t, server);
  return echo(t, A, hub.edge.httpPort, endpoint(user));
};

test('pusher-js: a public channel receives what pusher triggers', async (t) => {
  const client = await connect(t);
  const channel = await subscribed(client, 'news');
  const arrived = bound(channel, 'paid');
  const answer = await server.trigger('news', 'paid', { amount: 5, text: 'ä "quoted"' });
  assert.equal(answer.status, 200);
  assert.deepEqual(await arrived, { amount: 5, text: 'ä "quoted"' });
});

test('pusher-js: a private channel joins by the auth server', async (t) => {
  const client = await connect(t);
  const channel = await subscribed(client, 'private-news');
  const arrived = bound(channel, 'paid');
  await server.trigger(['private-news', 'other'], 'paid', 'text');
  assert.equal(await arrived, 'text');
});

test('pusher-js: a channel that the auth server refuses tells subscription_error', async (t) => {
  const client = await connect(t);
  const error = await bound(client.subscribe('private-forbidden'), 'pusher:subscription_error');
  assert.equal(error.status, 403);
});

test('pusher-js: a signature by another secret tells subscription_error', async (t) => {
  const endpoint = await authServer(t, publisher({ ...A, secret: 'other' }, hub.listen));
  const client = await pusherJs(t, A, hub.edge.httpPort, endpoint('1'));
  const error = await bound(client.subscribe('private-news'), 'pusher:subscription_error');
  assert.equal(error.status, 401);
  assert.equal(client.connection.state, 'connected');
});

test('pusher-js: members of a presence channel come and go', async (t) => {
  const first = await connect(t, '1');
  const second = await connect(t, '2');
  const room = await subscribed(first, 'presence-js');
  assert.equal(room.members.count, 1);
  assert.deepEqual(room.members.me, { id: '1', info: { name: 'User 1' } });
  const added = bound(room, 'pusher:member_added');
  const other = await subscribed(second, 'presence-js');
  assert.deepEqual(await added, { id: '2', info: { name: 'User 2' } });
  assert.equal(other.members.count, 2);
  const removed = bound(room, 'pusher:member_removed');
  second.disconnect();
  assert.equal((await removed).id, '2');
  assert.equal(room.members.count, 1);
});

test('pusher-js: client events carry the sender\'s user id', async (t) => {
  const first = await connect(t, '1');
  const second = await connect(t, '2');
  const room = await subscribed(first, 'presence-typing');
  const other = await subscribed(second, 'presence-typing');
  const arrived = called('client-typing', (done) =>
    other.bind('client-typing', (data, metadata) => done({ data, metadata })));
  assert.ok(room.trigger('client-typing', { on: true }));
  assert.deepEqual(await arrived, { data: { on: true }, metadata: { user_id: '1' } });
});

test('pusher-js: an encrypted channel is decrypted by its members only', async (t) => {
  const client = await connect(t);
  const channel = await subscribed(client, 'private-encrypted-safe');
  const arrived = bound(channel, 'paid');
  await server.trigger('private-encrypted-safe', 'paid', { secret: 42 });
  assert.deepEqual(await arrived, { secret: 42 });
});

test('pusher-js: an unknown key is refused for good', async (t) => {
  const { default: PusherJs } = await import('pusher-js');
  const client = new PusherJs('no-such-key', {
    wsHost: 'localhost', wsPort: hub.edge.httpPort, forceTLS: false, enabledTransports: ['ws'],
    cluster: '' });
  t.after(() => client.disconnect());
  const error = await bound(client.connection, 'error');
  assert.equal((error.data ?? error.error?.data).code, 4001);
  await waitFor('the client to give up', () => client.connection.state !== 'connecting');
  assert.notEqual(client.connection.state, 'connected');
});

test('pusher-js: connects over wss with the internal CA', { timeout: 30_000 }, async (t) => {
  const script = fileURLToPath(new URL('wss_client.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, A.key, hub.edge.httpsPort], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: path.join(hub.edge.storage, 'internal/root.crt') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await within('a line of the client', lines.next())).value;
  const seen = [await line(), await line()];
  assert.deepEqual(seen, ['connected', 'subscribed']);
  await server.trigger('news', 'e', { over: 'wss' });
  assert.equal(await line(), 'event {"over":"wss"}');
});

test('echo: public, private and presence channels, whispers', async (t) => {
  const first = await connectEcho(t, '1');
  const second = await connectEcho(t, '2');
  const order = called('a public event', (done) => {
    const channel = first.channel('orders');
    channel.listen('.shipped', done);
    channel.subscribed(() => server.trigger('orders', 'shipped', { order: 1 }));
  });
  assert.deepEqual(await order, { order: 1 });

  const paid = called('a namespaced event', (done) => {
    const channel = first.private('user.1');
    channel.listen('Paid', done);
    channel.subscribed(() => server.trigger('private-user.1', 'App\\Events\\Paid', { id: 7 }));
  });
  assert.deepEqual(await paid, { id: 7 });

  const room = first.join('chat');
  assert.deepEqual(await called('here', (done) => room.here(done)), [{ name: 'User 1' }]);
  const joining = called('joining', (done) => room.joining(done));
  const other = second.join('chat');
  assert.equal((await called('here', (done) => other.here(done))).length, 2);
  assert.deepEqual(await joining, { name: 'User 2' });
  const heard = called('a whisper', (done) => room.listenForWhisper('typing', done));
  other.whisper('typing', { name: 'B' });
  assert.deepEqual(await heard, { name: 'B' });
  const leaving = called('leaving', (done) => room.leaving(done));
  second.leave('chat');
  assert.deepEqual(await leaving, { name: 'User 2' });
});

test('echo: error() is called when a subscription is refused', async (t) => {
  const client = await connectEcho(t);
  const error = await called('error', (done) => client.private('forbidden').error(done));
  assert.equal(error.status, 403);
});

test('echo: toOthers leaves the author out', async (t) => {
  const author = await connectEcho(t, '1');
  const reader = await connectEcho(t, '2');
  const seen = [];
  for (const [name, client] of Object.entries({ author, reader })) {
    const channel = client.channel('posts');
    await called('subscribed', (done) => channel.subscribed(done));
    channel.listen('.posted', ({ id }) => seen.push(`${name} ${id}`));
  }
  await server.trigger('posts', 'posted', { id: 1 }, { socket_id: author.socketId() });
  await server.trigger('posts', 'posted', { id: 2 });
  await waitFor('three deliveries', () => seen.length >= 3);
  assert.deepEqual(seen.sort(), ['author 2', 'reader 1', 'reader 2']);
});

test('pusher: batch, info, channels, users, connections, termination', async (t) => {
  const endpoint = await authServer(t, publisher(counted, hub.listen));
  const api = publisher(counted, hub.listen);
  const client = await pusherJs(t, counted, hub.edge.httpPort, endpoint('9'));
  const news = await subscribed(client, 'news');
  await subscribed(client, 'presence-room');
  const json = async (answer) => (await answer).json();

  const arrived = Promise.all([bound(news, 'first'), bound(news, 'second')]);
  await api.triggerBatch([{ channel: 'news', name: 'first', data: { n: 1 } },
                          { channel: 'news', name: 'second', data: { n: 2 } }]);
  assert.deepEqual(await arrived, [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(await json(api.trigger('news', 'e', 'x', { info: 'subscription_count' })),
                   { channels: { news: { subscription_count: 1 } } });
  assert.deepEqual(await json(api.get({ path: '/channels', params: { info: 'user_count' } })),
                   { channels: { news: {}, 'presence-room': { user_count: 1 } } });
  assert.deepEqual(await json(api.get({ path: '/channels/presence-room/users' })),
                   { users: [{ id: '9' }] });
  assert.deepEqual(await json(api.get({ path: '/connections' })), { connections: 1 });
  const ended = bound(client.connection, 'disconnected');
  assert.equal((await api.terminateUserConnections('9')).status, 200);
  await ended;
  await waitFor('no connection', async () =>
    (await json(api.get({ path: '/connections' }))).connections === 0);
});

test('pusher: a wrong secret is told in words', async () => {
  const api = publisher({ ...A, secret: 'wrong' }, hub.listen);
  await assert.rejects(api.trigger('news', 'e', 'x'), (error) => {
    assert.equal(error.status, 401);
    assert.match(error.body, /REVERB_APP_SECRET/);
    return true;
  });
});
