// `proxy: {http2: true}`: real HTTP/2 servers behind the edge, with and without TLS.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import test from 'node:test';

import { backend, freePort, h2request, pause, portero, temporaryFolder, waitFor,
  within } from './harness.mjs';
import { selfSigned } from './lib/certificates.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const big = randomBytes(3_000_000);

function answer(stream, headers) {
  const path = headers[':path'];
  const chunks = [];
  stream.on('error', () => {});
  if (path === '/big') return stream.respond({ 'content-length': big.length }) ?? stream.end(big);
  if (path === '/events') {
    stream.respond({ 'content-type': 'text/event-stream' });
    return stream.write('data: 1\n\n');
  }
  if (path === '/empty') return stream.respond({ ':status': 204 }, { endStream: true });
  if (path === '/early') stream.additionalHeaders({ ':status': 103,
    link: '</a.css>; rel=preload' });
  if (path === '/trailers') {
    stream.respond({}, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
    return stream.end('with trailers');
  }
  if (path === '/cut') {
    stream.respond({ 'content-length': 100_000 });
    stream.write('x'.repeat(50_000));
    return setTimeout(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 50);
  }
  if (path === '/refused') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  if (path === '/never') return undefined;
  if (path === '/huge-head') return stream.respond(
    { 'x-huge': 'x'.repeat(100_000) }) ?? stream.end();
  stream.on('data', (data) => chunks.push(data));
  stream.on('end', () => {
    const body = Buffer.concat(chunks);
    stream.respond({ 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
    stream.end(JSON.stringify({ headers, length: body.length, sum: sha256(body) }));
  });
}

async function server(t, options) {
  const made = options ? http2.createSecureServer(options) : http2.createServer();
  const sessions = new Set();
  made.on('session', (session) => (sessions.add(session), session.on('error', () => {})));
  made.on('stream', answer);
  made.on('error', () => {});
  await new Promise((resolve) => made.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    for (const session of sessions) session.destroy();
    made.close();
  };
  t.after(stop);
  return { server: made, sessions, address: `127.0.0.1:${made.address().port}`, stop };
}

for (const secure of [false, true]) {
  test(`http2 upstream: ${secure ? 'TLS' : 'prior knowledge'}`, async (t) => {
    const folder = temporaryFolder();
    const own = selfSigned(folder, 'upstream.test');
    const upstream = await server(t, secure
      ? { cert: readFileSync(own.cert), key: readFileSync(own.key) } : undefined);
    const edge = await portero(t, `
sites:
  a.test, http://a.test:
    proxy:
      to: ${secure ? 'https' : 'http'}://${upstream.address}
      http2: true
      timeouts: {response: 1s}
      headers_up: {set: {X-Edge: "{client_ip}"}}
      ${secure ? `tls: {server_name: upstream.test, ca: "${own.cert}"}` : ''}
`);
    const get = (target, options) => edge.get(target, { host: 'a.test', tls: false, ...options });
    const seen = JSON.parse((await get('/x?y=1', { headers: { Cookie: 'a=b', Connection: 'X-Hop',
      'X-Hop': '1' } })).text);
    assert.equal(seen.headers[':method'], 'GET');
    assert.equal(seen.headers[':path'], '/x?y=1');
    assert.equal(seen.headers[':scheme'], secure ? 'https' : 'http');
    if (!secure) assert.equal(seen.headers[':authority'], 'a.test');
    assert.equal(seen.headers['x-edge'], '127.0.0.1');
    assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen.headers.cookie, 'a=b');
    for (const name of ['x-hop', 'connection', 'host']) assert.equal(seen.headers[name],
      undefined, name);

    for (const body of ['', 'hello', big]) {
      const posted = JSON.parse((await get('/post', { method: 'POST', body,
        headers: { 'Content-Length': body.length } })).text);
      assert.deepEqual([posted.length, posted.sum], [body.length, sha256(body)]);
    }
    const chunked = JSON.parse((await get('/post', { method: 'PUT', body: big })).text);
    assert.equal(chunked.sum, sha256(big));
    const answered = await get('/post', { method: 'POST', body: 'x' });
    assert.deepEqual(answered.headers['set-cookie'], ['a=1', 'b=2']);
    const large = await edge.curl(['--output', `${folder}/big`, edge.url('/big', 'a.test')],
      { host: 'a.test' });
    assert.equal(large.code, 0, large.stderr);
    assert.equal(sha256(readFileSync(`${folder}/big`)), sha256(big));
    const head = await get('/big', { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200,
      `${big.length}`, '']);
    assert.equal((await get('/empty')).status, 204);
    assert.equal((await get('/early')).status, 200);
    assert.equal((await get('/trailers')).text, 'with trailers');
    const session = await edge.h2('a.test');
    assert.equal((await h2request(session, { ':path': '/x' })).status, 200);

    // Many requests share few connections.
    const many = await Promise.all(Array.from({ length: 60 }, (_, i) => get(`/many/${i}`)));
    assert.deepEqual(many.map((one) => one.status), Array(60).fill(200));
    assert.ok(upstream.sessions.size <= 12, `${upstream.sessions.size} connections`);

    // A stream passes at once; what breaks off is never made whole; silence is a 504.
    const socket = net.connect(edge.httpPort, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write('GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await within('the first event', new Promise((resolve) => {
      let got = '';
      socket.on('data', (data) => { got += data; if (got.includes('data: 1')) resolve(); });
    }));
    await assert.rejects(get('/cut'));
    assert.equal((await get('/never')).status, 504);
    assert.equal((await get('/refused')).status, 502);
    assert.equal((await get('/huge-head')).status, 502);
    assert.equal((await get('/x')).status, 200);

    // It restarts: connections that are gone are noticed, new ones made.
    for (const one of upstream.sessions) one.close();
    await pause(50);
    assert.equal((await get('/x')).status, 200);
    for (const one of upstream.sessions) one.destroy();
    await waitFor('the next connection', async () => (await get('/x')).status === 200);
    upstream.stop();
    await pause(50);
    assert.equal((await get('/x')).status, 502);
  });
}

test('http2 upstream: several, with health, cookies and a limit', async (t) => {
  const two = [await server(t), await server(t)];
  const edge = await portero(t, `
sites:
  http://a.test:
    proxy:
      to: [${two.map((one) => `"http://${one.address}"`)}]
      http2: true
      balance: cookie
      max_concurrent: 4
      health: {path: /empty, every: 1s}
`);
  const get = (target, headers = {}) => edge.get(target, { host: 'a.test', tls: false, headers });
  const first = await get('/x');
  const Cookie = first.headers['set-cookie'].find((one) =>
    one.startsWith('portero_upstream')).split(';')[0];
  const many = await Promise.all(Array.from({ length: 40 }, () => get('/x', { Cookie })));
  assert.deepEqual(many.map((one) => one.status), Array(40).fill(200));
  two[0].stop();
  await waitFor('the check', () => /upstream\.down/.test(edge.stderr));
  for (let i = 0; i < 10; ++i) assert.equal((await get('/x', { Cookie })).status, 200);
});

test('http2 upstream: a connection without requests is closed after its time', async (t) => {
  const upstream = await server(t);
  const edge = await portero(t, `
sites:
  http://a.test:
    proxy: {to: "http://${upstream.address}", http2: true, timeouts: {idle: 500ms}}
`);
  assert.equal((await edge.get('/x', { host: 'a.test', tls: false })).status, 200);
  await waitFor('its end', () => [...upstream.sessions].every((one) => one.destroyed));
  assert.equal((await edge.get('/x', { host: 'a.test', tls: false })).status, 200);
});

test('http2 upstream: a server that does not speak it is told so', async (t) => {
  const folder = temporaryFolder();
  const own = selfSigned(folder, 'upstream.test');
  const old = await backend(t, (request, response) => response.end('old'), {
    server: https.createServer({ cert: readFileSync(own.cert), key: readFileSync(own.key) }),
  });
  const plain = await backend(t, (request, response) => response.end('old'));
  const edge = await portero(t, `
sites:
  http://tls.test:
    proxy:
      to: "https://${old.address}"
      http2: true
      tls: {server_name: upstream.test, ca: "${own.cert}"}
  http://plain.test: {proxy: {to: "${plain.address}", http2: true, timeouts: {response: 2s}}}
  http://closed.test: {proxy: {to: "127.0.0.1:${await freePort()}", http2: true}}
`);
  for (const [host, said] of [['tls.test', /could not agree on TLS|HTTP/], ['plain.test', /./],
    ['closed.test', /refused/]]) {
    const answered = await edge.get('/', { host, tls: false });
    assert.equal(answered.status, 502, host);
    assert.match(answered.text, said);
  }
});
