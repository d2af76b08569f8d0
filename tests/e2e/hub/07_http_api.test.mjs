// Conformance items 97–118: the HTTP API.
import assert from 'node:assert/strict';
import http from 'node:http';
import { afterEach, test } from 'node:test';

import { A, B, C, counted, sharedHub } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

const event = { name: 'e', data: '{"some":"data"}', channel: 'news' };

// A socket that has joined channels.
async function joined(channels, { application = A, member } = {}) {
  const client = await hub.connect(application);
  for (const channel of channels) {
    await client.subscribe(channel, channel.startsWith('presence-') ? { member } : {});
  }
  return client;
}

// A request head and body as bytes, for a bare connection.
const head = (method, target, fields = {}) => {
  const lines = Object.entries({ Host: 'localhost', ...fields }).map(([k, v]) => `${k}: ${v}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
};
const wire = () => hub.edge.wire({ port: hub.listen });

function expectError(answer, status, text) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.json.code, status);
  assert.match(answer.json.error, text);
}

test('097 a signed event is answered by {} and delivered verbatim', async () => {
  const client = await joined(['news']);
  const data = '{"some": "d\u00e4ta",  "n":1.0}';
  const answer = await hub.api().publish('news', 'App\\Events\\Paid', data);
  assert.equal(answer.text, '{}');
  const { raw } = await client.expect('App\\Events\\Paid', { channel: 'news' });
  assert.deepEqual(raw, { event: 'App\\Events\\Paid', data, channel: 'news' });
});

test('098 an event for two channels reaches both, each frame with its channel', async () => {
  const first = await joined(['one']);
  const second = await joined(['two']);
  await hub.api().publish(['one', 'two'], 'e', 'x');
  await first.expect('e', { channel: 'one' });
  await second.expect('e', { channel: 'two' });
});

test('099 socket_id excludes that socket on every channel, an unknown one nobody', async () => {
  const author = await joined(['one', 'two']);
  const reader = await joined(['one', 'two']);
  await hub.api().publish(['one', 'two'], 'first', 'x', { socket_id: author.id });
  await hub.api().publish(['one', 'two'], 'second', 'x', { socket_id: '1.1' });
  const channelsOf = async (client, name) =>
    [(await client.expect(name)).channel, (await client.expect(name)).channel].sort();
  const read = [];
  for (let i = 0; i < 4; i += 1) {
    const frame = await reader.next();
    read.push(`${frame.event} ${frame.channel}`);
  }
  assert.deepEqual(read.sort(), ['first one', 'first two', 'second one', 'second two']);
  assert.deepEqual(await channelsOf(author, 'second'), ['one', 'two']);
});

test('100 info tells counts: subscriptions, or the users of presence channels', async () => {
  for (const user of ['1', '2']) {
    await joined(['news', 'presence-room'], { member: { user_id: user } });
  }
  await joined(['presence-room'], { member: { user_id: '2' } });
  const ask = async (info) => (await hub.api().publish(
    ['news', 'presence-room'], 'e', 'x', { info })).json.channels;
  assert.deepEqual(await ask('subscription_count'),
                   { news: { subscription_count: 2 }, 'presence-room': {} });
  assert.deepEqual(await ask('user_count'), { news: {}, 'presence-room': { user_count: 2 } });
  assert.deepEqual(await ask('subscription_count,user_count'),
                   { news: { subscription_count: 2 }, 'presence-room': { user_count: 2 } });
});

test('101 a field that is missing or of the wrong type: 422 and its name', async () => {
  const rows = [
    [{ name: 'e', channel: 'c' }, 'data'],
    [{ name: 'e', data: { a: 1 }, channel: 'c' }, 'data'],
    [{ data: 'd', channel: 'c' }, 'name'],
    [{ name: 'e', data: 'd' }, 'channels'],
    [{ ...event, socket_id: 5 }, 'socket_id'],
    [{ ...event, info: ['user_count'] }, 'info'],
    [{ ...event, channel: 'not a channel' }, 'channel'],
    [{ ...event, name: 'x'.repeat(201) }, 'name'],
    [{ name: 'e', data: 'd', channels: Array(101).fill().map((_, i) => `c${i}`) }, 'channels'],
  ];
  for (const [body, field] of rows) {
    const answer = await hub.api().post('/events', body);
    expectError(answer, 422, new RegExp(field));
    assert.ok(Array.isArray(answer.json[field]), answer.text);
  }
});

test('102 a signed body that is no JSON object: 400', async () => {
  for (const body of ['null', '5', '[]', '{', 'name=e', '\u0000', `${'['.repeat(5000)}`]) {
    for (const path of ['/events', '/batch_events']) {
      expectError(await hub.api().post(path, body), 400, /JSON/);
    }
  }
});

test('103 a wrong or missing signature, or a changed body: 401', async () => {
  const api = hub.api();
  const body = JSON.stringify(event);
  const target = api.sign('POST', '/events', { body });
  const send = (to, text = body) => api.send('POST', to, { body: text });
  const other = target.endsWith('0') ? '1' : '0';
  expectError(await send(`${target.slice(0, -1)}${other}`), 401, /auth_signature is wrong/);
  expectError(await send(target.replace(/&auth_signature=.*/, '')), 401, /auth_signature/);
  expectError(await send(target.replace(/\?.*/, '')), 401, /auth_key is missing/);
  expectError(await send(target, body.replace('"e"', '"f"')), 401, /body_md5/);
  const paths = ['/channels', '/channels/news', '/channels/presence-x/users', '/connections'];
  for (const path of paths) {
    expectError(await api.send('GET', `/apps/${A.id}${path}`), 401, /auth_key/);
    const foreign = api.sign('GET', path).replace(/auth_signature=..../, 'auth_signature=0000');
    expectError(await api.send('GET', foreign), 401, /REVERB_APP_SECRET/);
  }
});

test('104 an unknown app: 404 that names it', async () => {
  const nobody = { id: '999', key: A.key, secret: A.secret };
  expectError(await hub.api(nobody).post('/events', event), 404, /"999"/);
  const elsewhere = hub.api(A, { port: hub.edge.httpPort, host: 'only-c.test' });
  assert.equal((await elsewhere.post('/events', event)).status, 404);
});

test('105 a timestamp 601 s off or a foreign key: 401', async () => {
  const now = Math.floor(Date.now() / 1000);
  const at = (time) => hub.api().get('/channels', { change: { auth_timestamp: time } });
  expectError(await at(now - 601), 401, /clock/);
  expectError(await at(now + 620), 401, /clock/);
  expectError(await at('soon'), 401, /auth_timestamp/);
  expectError(await at(null), 401, /auth_timestamp is missing/);
  assert.equal((await at(now - 590)).status, 200);
  const foreign = await hub.api().get('/channels', { change: { auth_key: B.key } });
  expectError(foreign, 401, /"reverb-key-2" is not the key of app 123456: .*REVERB_APP_KEY/);
});

test('106 a body over the limit: 413 that names it', async () => {
  const body = JSON.stringify({ ...event, data: 'x'.repeat(1024 * 1024) });
  const target = hub.api().sign('POST', '/events', { body });
  for (const fields of [{ Expect: '100-continue' }, {}]) {
    const socket = await wire();
    socket.write(head('POST', target, { 'Content-Length': body.length, ...fields }));
    const answer = await socket.answer();
    assert.equal(answer.status, 413);
    assert.match(answer.text, /1048576/);
    socket.close();
  }
});

test('107 a 150 kB event in several packets', async () => {
  const client = await joined(['news']);
  const body = JSON.stringify({ ...event, data: 'x'.repeat(150_000) });
  const socket = await wire();
  socket.socket.setNoDelay(true);
  socket.write(head('POST', hub.api().sign('POST', '/events', { body }),
                    { 'Content-Length': body.length }));
  for (let at = 0; at < body.length; at += 10_000) {
    await new Promise((resolve) => socket.socket.write(body.slice(at, at + 10_000), resolve));
  }
  assert.equal((await socket.answer()).status, 200);
  assert.equal((await client.expect('e')).raw.data.length, 150_000);
});

test('108 a batch: {} without info, a list by index with it', async () => {
  const client = await joined(['news']);
  const batch = [{ ...event, name: 'first' }, { ...event, name: 'second', channel: 'empty' }];
  const plain = await hub.api().post('/batch_events', { batch });
  assert.equal(plain.text, '{"batch":{}}');
  await client.expect('first', { channel: 'news' });
  batch[0].info = 'subscription_count';
  const asked = await hub.api().post('/batch_events', { batch });
  assert.deepEqual(asked.json, { batch: [{ subscription_count: 1 }, {}] });
  const broken = await hub.api().post('/batch_events', { batch: [event, { name: 'e' }] });
  expectError(broken, 422, /batch\.1\.data/);
  await client.expect('first');
  await client.expectSilence();
});

test('109 GET channels: the occupied ones, by prefix, with info', async () => {
  const api = hub.api(counted);
  assert.equal((await api.get('/channels')).text, '{"channels":{}}');
  await joined(['news', 'presence-room'], { application: counted, member: { user_id: '1' } });
  assert.deepEqual((await api.get('/channels')).json,
                   { channels: { news: {}, 'presence-room': {} } });
  const query = { filter_by_prefix: 'presence-', info: 'user_count' };
  assert.deepEqual((await api.get('/channels', { query })).json,
                   { channels: { 'presence-room': { user_count: 1 } } });
  assert.equal((await api.get('/channels', { query: { filter_by_prefix: 'x' } })).text,
               '{"channels":{}}');
});

test('110 GET channel: occupied or not, unique users of a presence channel', async () => {
  const get = async (channel, info) =>
    (await hub.api().get(`/channels/${channel}`, { query: info ? { info } : {} })).json;
  assert.deepEqual(await get('nobody', 'subscription_count'), { occupied: false });
  for (let i = 0; i < 2; i += 1) {
    await joined(['news', 'presence-room'], { member: { user_id: '1' } });
  }
  assert.deepEqual(await get('news'), { occupied: true });
  assert.deepEqual(await get('news', 'subscription_count,user_count'),
                   { occupied: true, subscription_count: 2 });
  assert.deepEqual(await get('presence-room', 'subscription_count,user_count'),
                   { occupied: true, user_count: 1 });
});

test('111 GET users: unique ids of a presence channel; 400 public, 404 unoccupied', async () => {
  for (const id of ['7', '7', 'b']) await joined(['presence-room'], { member: { user_id: id } });
  await joined(['presence-room'], { member: { user_id: 1 } });
  const answer = await hub.api().get('/channels/presence-room/users');
  const byText = (a, b) => `${a.id}`.localeCompare(`${b.id}`);
  assert.deepEqual(answer.json.users.sort(byText), [{ id: 1 }, { id: '7' }, { id: 'b' }]);
  await joined(['news']);
  expectError(await hub.api().get('/channels/news/users'), 400, /presence/);
  expectError(await hub.api().get('/channels/presence-empty/users'), 404, /nobody/);
});

test('112 GET connections counts sockets, not subscriptions', async () => {
  await joined(['one', 'two'], { application: counted });
  assert.equal((await hub.api(counted).get('/connections')).text, '{"connections":1}');
  await joined([], { application: counted });
  assert.equal((await hub.api(counted).get('/connections')).text, '{"connections":2}');
});

test('113 terminate_connections closes all sockets of a user and no other', async () => {
  const member = { user_id: '456' };
  const late = await joined(['news', 'presence-room'], { member });
  const early = await joined(['presence-other', 'news'], { member });
  const number = await joined(['presence-third'], { member: { user_id: 456 } });
  const other = await joined(['presence-fourth'], { member: { user_id: '4567' } });
  const answer = await hub.api().post('/users/456/terminate_connections', {});
  assert.equal(answer.status, 200);
  assert.equal(answer.text, '{}');
  await Promise.all([late, early, number].map((client) => client.expectClose(4009)));
  await other.expectSilence();
  assert.equal((await hub.api().post('/users/nobody/terminate_connections', {})).text, '{}');
});

test('114 GET /up needs no signature', async () => {
  const answer = await hub.api().send('GET', '/up');
  assert.equal(answer.status, 200);
  assert.equal(answer.text, '{"health":"OK"}');
});

test('115 another method: 405 with Allow; another path: 404', async () => {
  const rows = [['GET', '/events', 'POST'], ['DELETE', '/events', 'POST'],
                ['GET', '/batch_events', 'POST'], ['POST', '/channels', 'GET'],
                ['DELETE', '/channels/news', 'GET'], ['OPTIONS', '/events', 'POST']];
  for (const [method, path, allowed] of rows) {
    const answer = await hub.api().send(method, `/apps/${A.id}${path}`);
    expectError(answer, 405, new RegExp(`use ${allowed}`));
    assert.match(answer.headers.allow, new RegExp(allowed));
  }
  for (const target of [`/apps/${A.id}/nothing`, `/apps/${A.id}`, '/nothing', '/']) {
    assert.equal((await hub.api().send('GET', target)).status, 404);
  }
});

test('116 behind a prefix: signed without it or with it; unprefixed 404', async () => {
  const at = { port: hub.edge.httpPort, host: 'prefixed.test' };
  const prefixed = hub.api(A, { ...at, prefix: '/ws' });
  assert.equal((await prefixed.post('/events', event)).status, 200);
  const client = await hub.connect(A, { path: '/ws/app', host: 'prefixed.test' });
  await client.subscribe('news');
  assert.equal((await hub.api(A, at).post('/events', event)).status, 404);
});

test('117 a connection serves many requests, also after Expect: 100-continue', async () => {
  const body = JSON.stringify(event);
  const socket = await wire();
  for (let i = 0; i < 3; i += 1) {
    const target = hub.api().sign('POST', '/events', { body, query: { n: i } });
    socket.write(head('POST', target, { 'Content-Length': body.length, Expect: '100-continue' }));
    assert.equal((await socket.head()).status, 100);
    socket.write(body);
    assert.equal((await socket.answer()).text, '{}');
    // A refusal costs the connection nothing either.
    socket.write(head('POST', `/apps/${A.id}/events`, { 'Content-Length': body.length }) + body);
    assert.equal((await socket.answer()).status, 401);
  }
  const pipelined = [1, 2, 3].map((n) =>
    head('GET', hub.api().sign('GET', '/connections', { query: { n } }))).join('');
  socket.write(pipelined);
  for (let i = 0; i < 3; i += 1) assert.equal((await socket.answer()).status, 200);
  socket.close();
});

test('118 every answer is JSON with its exact length', async () => {
  const api = hub.api();
  const rows = [['GET', '/channels'], ['GET', '/channels/news'], ['GET', '/connections'],
                ['GET', '/channels/presence-x/users'], ['GET', '/channels/news/users']];
  const socket = await wire();
  for (const [method, path] of rows) {
    socket.write(head(method, api.sign(method, path)));
    const answer = await socket.answer();
    assert.equal(Number(answer.headers['content-length']), answer.body.length);
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.match(answer.headers['content-type'], /^application\/json/);
    JSON.parse(answer.text);
  }
  socket.write(head('HEAD', api.sign('HEAD', '/connections')));
  const answer = await socket.answer('HEAD');
  assert.ok(Number(answer.headers['content-length']) > 0);
  socket.write(head('GET', '/up'));
  assert.equal((await socket.answer()).text, '{"health":"OK"}');
  socket.close();
});

test('118a events keep their order, over keep-alive and over both workers', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => joined(['news', 'other'])));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 50; i += 1) {
    const answer = await hub.api(A).post('/events', { ...event, name: `e${i}` }, { agent });
    assert.equal(answer.status, 200);
  }
  agent.destroy();
  for (const client of clients) {
    for (let i = 0; i < 50; i += 1) await client.expect(`e${i}`, { channel: 'news' });
  }
});

test('118b an event goes to its own app only', async () => {
  const a = await joined(['news']);
  const c = await hub.connect(C, { headers: { Origin: 'http://laravel.com' } });
  await c.subscribe('news');
  await hub.api(A).publish('news', 'of A', 'x');
  await hub.api(C).publish('news', 'of C', 'x');
  await a.expect('of A');
  await c.expect('of C');
  await a.expectSilence();
});
