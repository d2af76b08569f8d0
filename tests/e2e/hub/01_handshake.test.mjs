// Conformance items 1–26: handshake and transport.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { waitFor } from '../harness.mjs';
import { A, B, C, open, per_address, sharedHub, wildcard } from './fixture.mjs';

const hub = sharedHub();
afterEach(() => hub.closeClients());

// A raw answer to a handshake with any fields.
async function handshake(target, fields, { host = 'localhost', method = 'GET' } = {}) {
  const wire = await hub.edge.wire();
  const lines = Object.entries({ Host: host, ...fields }).map(([k, v]) => `${k}: ${v}\r\n`);
  wire.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return { wire, answer: await wire.answer() };
}

const upgrade = {
  Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

// A refused socket: told why, then closed with the same code.
async function expectRefused(client, code, text) {
  await client.expectError(code, text);
  await client.expectClose(code);
}

test('001 an upgrade on /app/{key} is greeted', async () => {
  const client = await hub.connect(A, { greeted: false, query: '?protocol=7' });
  const frame = await client.greeting();
  assert.equal(typeof frame.raw.data, 'string');
  assert.match(frame.data.socket_id, /^\d+\.\d+$/);
  assert.equal(frame.data.activity_timeout, 30);
});

test('002 two sockets have different ids', async () => {
  const ids = new Set();
  for (let i = 0; i < 20; i += 1) ids.add((await hub.connect()).id);
  assert.equal(ids.size, 20);
});

test('003 an unknown key gets error and Close 4001', async () => {
  const client = await hub.connect({ key: 'no-such-key' }, { greeted: false });
  await expectRefused(client, 4001, /key|exist/i);
});

test('004 without Origin where one is asked for: 4009', async () => {
  await expectRefused(await hub.connect(C, { greeted: false }), 4009, /Origin/);
});

test('005 an allowed Origin is greeted', async () => {
  await hub.connect(C, { headers: { Origin: 'http://laravel.com' } });
});

test('006 a subdomain is not the allowed name: 4009', async () => {
  const client = await hub.connect(C, { greeted: false,
                                        headers: { Origin: 'http://sub.laravel.com' } });
  await expectRefused(client, 4009, /Origin/);
});

test('007 a wildcard stands for subdomains only', async () => {
  await hub.connect(wildcard, { headers: { Origin: 'http://sub.laravel.com' } });
  const client = await hub.connect(wildcard, { greeted: false,
                                               headers: { Origin: 'http://laravel.com' } });
  await expectRefused(client, 4009, /Origin/);
});

test('008 only the host of an Origin counts', async () => {
  await hub.connect(C, { headers: { Origin: 'https://laravel.com:8443' } });
  await hub.connect(C, { headers: { Origin: 'https://LARAVEL.com' } });
});

test('009 a refused Origin gets nothing by subscribing', async () => {
  const client = await hub.connect(C, { greeted: false });
  await client.expectError(4009);
  client.requestSubscription('news');
  await hub.api(C).publish('news', 'e', 'secret');
  await client.expectClose(4009);
  await assert.rejects(client.next(), /closed/);
});

test('010 one socket over max_connections: error and Close 4004', async () => {
  const first = await hub.connect(B);
  await first.subscribe('news');
  await expectRefused(await hub.connect(B, { greeted: false }), 4004, /quota/i);
  await first.expectSilence();
});

test('011 a socket without subscription counts too', async () => {
  await hub.connect(B);
  await expectRefused(await hub.connect(B, { greeted: false }), 4004);
});

test('012 a place is free again when a socket has closed', async () => {
  const first = await hub.connect(B);
  first.close();
  await first.closed;
  await waitFor('a free place', async () => {
    const client = await hub.connect(B, { greeted: false });
    const frame = await client.next();
    return frame.event === 'pusher:connection_established';
  });
});

test('012a a limit per address refuses with 4100, which clients try again', async () => {
  await hub.connect(per_address);
  await hub.connect(per_address);
  await expectRefused(await hub.connect(per_address, { greeted: false }), 4100);
});

test('013 without protocol parameter the socket is greeted', async () => {
  await hub.connect(A, { query: '' });
  await hub.connect(A, { query: '?protocol=5' });
});

test('014 Sec-WebSocket-Version 12 gets 426 and no frame', async () => {
  const { wire, answer } = await handshake('/app/reverb-key',
                                           { ...upgrade, 'Sec-WebSocket-Version': '12' });
  assert.equal(answer.status, 426);
  assert.equal(answer.headers['sec-websocket-version'], '13');
  wire.write('GET /app/reverb-key HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const next = await wire.answer();
  assert.ok(next.status >= 400 && next.status < 500, `${next.status}`);
});

test('015 a plain GET gets 4xx and one line that says what is wrong', async () => {
  const rows = [
    ['/app/reverb-key', {}],
    ['/app/test', {}],
    ['/app/test', { ...upgrade, 'Sec-WebSocket-Key': 'test' }],
    ['/app/reverb-key', { ...upgrade, 'Sec-WebSocket-Key': 'test' }],
    ['/app/reverb-key', { ...upgrade, 'Sec-WebSocket-Key': '' }],
  ];
  for (const [target, fields] of rows) {
    const { wire, answer } = await handshake(target, fields);
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
    assert.match(answer.text.trim(), /^[^\n]{10,}$/, 'one line');
    wire.close();
  }
});

test('016 an offered subprotocol is not chosen', async () => {
  const { answer } = await handshake('/app/reverb-key',
                                     { ...upgrade, 'Sec-WebSocket-Protocol': 'chat, pusher' });
  assert.equal(answer.status, 101);
  assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.equal(answer.headers['sec-websocket-protocol'], undefined);
  assert.equal(answer.headers['sec-websocket-extensions'], undefined);
});

test('017 a PING is answered with its payload', async () => {
  const client = await hub.connect();
  assert.equal(await client.ping('x'), 'x');
  assert.equal(await client.ping(''), '');
  assert.equal(await client.ping('y'.repeat(125)), 'y'.repeat(125));
});

test('018 an unsolicited PONG is ignored', async () => {
  const client = await hub.connect();
  client.socket.pong('nobody asked');
  await client.expectSilence();
});

test('019 an unmasked frame: Close 1002', async () => {
  const client = await hub.connect();
  client.send({ event: 'pusher:ping' }, { mask: false });
  await client.expectClose(1002);
});

test('019a reserved bits, unknown opcodes, long or torn control frames: Close 1002', async () => {
  const mask = Buffer.from([0, 0, 0, 0]);
  const frames = [
    [0xc1, 0x80],        // RSV1 without an extension
    [0x83, 0x80],        // opcode 3
    [0x8b, 0x80],        // opcode 11
    [0x09, 0x80],        // a PING in fragments
    [0x89, 0xfe, 0, 126],  // a PING of 126 bytes
    [0x80, 0x80],        // a continuation of nothing
  ];
  for (const bytes of frames) {
    const client = await hub.connect();
    client.socket._socket.write(Buffer.concat([Buffer.from(bytes), mask]));
    await client.expectClose(1002);
  }
});

test('020 text that is not UTF-8: Close 1007', async () => {
  const client = await hub.connect();
  client.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false });
  await client.expectClose(1007);
});

test('021 a 10 100-byte message closes 1009', async () => {
  const client = await hub.connect();
  client.send('x'.repeat(10_100));
  await client.expectClose(1009);
});

test('022 an app with a larger limit takes a 20 000-byte subscribe', async () => {
  const client = await hub.connect(B);
  await client.subscribe('news', { data: { padding: 'x'.repeat(20_000) } });
});

test('023 a message in three fragments with a PING between is handled once', async () => {
  const client = await hub.connect();
  const text = JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'news' } });
  client.send(text.slice(0, 10), { fin: false });
  client.send(text.slice(10, 20), { fin: false });
  assert.equal(await client.ping('between'), 'between');
  client.send(text.slice(20), { fin: true });
  await client.expect('pusher_internal:subscription_succeeded', { channel: 'news' });
  await client.expectSilence();
});

test('024 fragments that sum up over the limit: Close 1009', async () => {
  const client = await hub.connect();
  for (let i = 0; i < 11; i += 1) client.send('x'.repeat(1000), { fin: false });
  await client.expectClose(1009);
});

test('025 a binary frame with JSON is a message', async () => {
  const client = await hub.connect();
  client.send(Buffer.from('{"event":"pusher:ping"}'), { binary: true });
  await client.expect('pusher:pong');
});

test('026 a client\'s Close is echoed and its presence ends', async () => {
  const watcher = await hub.connect();
  await watcher.subscribe('presence-room', { member: { user_id: '1' } });
  const client = await hub.connect();
  await client.subscribe('presence-room', { member: { user_id: '2' } });
  await watcher.expect('pusher_internal:member_added');
  client.close(1000);
  await client.expectClose(1000);
  await watcher.expect('pusher_internal:member_removed',
                       { channel: 'presence-room', data: { user_id: '2' } });
});

test('026a a site with pages of its own keeps what is not the hub\'s', async () => {
  for (const target of ['/', '/app', '/app/dashboard', '/apps/overview', '/up']) {
    const answer = await hub.edge.get(target, { tls: false, host: 'beside.test' });
    assert.equal(answer.text, 'the site', target);
  }
  await hub.connect(open, { host: 'beside.test' });
});
