// `encode:` in front of a backend, and `limits: {body}`.
import assert from 'node:assert/strict';
import test from 'node:test';
import zlib from 'node:zlib';
import { Readable } from 'node:stream';

import { backend, h2request, pause, portero } from './harness.mjs';

const page = '<p>words and words and more words</p>\n'.repeat(500);

async function start(t) {
  const { address } = await backend(t, async (request, response) => {
    response.setHeader('Content-Type', 'text/html');
    if (request.url === '/tag') response.setHeader('ETag', '"x"');
    if (request.url === '/packed') response.setHeader('Content-Encoding', 'gzip');
    if (request.url === '/keep') response.setHeader('Cache-Control', 'private, no-transform');
    if (request.url === '/png') response.setHeader('Content-Type', 'image/png');
    if (request.url === '/small') return response.end('small');
    if (request.url === '/body') {
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      return response.end(`${bytes}`);
    }
    if (request.url === '/events') {
      response.setHeader('Content-Type', 'text/event-stream');
      response.write('data: 1\n\n');
      await pause(400);
      return response.end('data: 2\n\n');
    }
    if (request.url === '/length') response.setHeader('Content-Length', page.length);
    response.end(page);
  });
  return portero(t, `
sites:
  localhost:
    encode: true
    limits: {body: 1MB}
    routes:
      - {match: /off/*, encode: off, strip_prefix: /off, proxy: "${address}"}
      - {match: /any/*, limits: {body: 3MB}, strip_prefix: /any, proxy: "${address}"}
      - proxy: "${address}"
`);
}

test('encode: by the preference of the client, over both versions', async (t) => {
  const edge = await start(t);
  const session = await edge.h2();
  const asked = async (target, coding) => {
    const headers = coding ? { 'Accept-Encoding': coding } : {};
    const one = await edge.get(target, { headers });
    const two = await h2request(session, { ':path': target, 'accept-encoding': coding ?? '' });
    for (const name of ['content-encoding', 'vary', 'etag']) {
      assert.equal(one.headers[name], two.headers[name], `${target} ${name}`);
    }
    return one;
  };
  for (const target of ['/', '/length']) {
    for (const [coding, unpack] of [['gzip', zlib.gunzipSync], ['br', zlib.brotliDecompressSync]]) {
      const answer = await asked(target, coding);
      assert.equal(answer.headers['content-encoding'], coding);
      assert.equal(answer.headers.vary, 'Accept-Encoding');
      assert.equal(unpack(answer.body).toString(), page);
      assert.ok(answer.body.length < page.length / 20);
    }
  }
  assert.equal((await asked('/', 'gzip, br;q=0.9, zstd;q=0')).headers['content-encoding'], 'gzip');
  assert.equal((await asked('/', 'gzip, deflate, br, zstd')).headers['content-encoding'], 'zstd');
  assert.equal((await asked('/tag', 'gzip')).headers.etag, 'W/"x"');
  for (const target of ['/keep', '/png', '/small', '/off/']) {
    assert.equal((await asked(target, 'gzip')).headers['content-encoding'], undefined, target);
  }
  assert.equal((await asked('/packed', 'br')).body.toString(), page);
  const plain = await asked('/');
  assert.deepEqual([plain.text, plain.headers.vary], [page, 'Accept-Encoding']);
  const head = await edge.get('/', { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } });
  assert.deepEqual([head.text, head.headers['content-encoding']], ['', 'gzip']);
});

test('encode: events come through at once', async (t) => {
  const edge = await start(t);
  const wire = await edge.wire({ tls: true });
  wire.write('GET /events HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n');
  assert.equal((await wire.head()).headers['content-encoding'], 'gzip');
  const unpack = zlib.createGunzip();
  const times = [];
  unpack.on('data', (data) => times.push([Date.now(), data.toString()]));
  for (let size; (size = parseInt(await wire.line(), 16)) !== 0; await wire.line()) {
    unpack.write(await wire.bytes(size));
  }
  await pause(50);
  assert.equal(times.map(([, text]) => text).join(''), 'data: 1\n\ndata: 2\n\n');
  assert.ok(times.at(-1)[0] - times[0][0] >= 300, JSON.stringify(times));
});

test('limits.body: too large is 413, before it is read or when it turns out so', async (t) => {
  const edge = await start(t);
  const post = async (target, body, headers) =>
    (await edge.get(target, { method: 'POST', body, headers })).status;
  const mb = (count) => Buffer.alloc(count * 1_000_000, 'x');
  assert.equal(await post('/body', mb(1), { 'Content-Length': 1_000_000 }), 200);
  const wire = await edge.wire({ tls: true });
  wire.write('POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000001\r\n' +
    'Expect: 100-continue\r\n\r\n');
  assert.equal((await wire.head()).status, 413);
  assert.equal(await post('/any/body', mb(2), { 'Content-Length': 2_000_000 }), 200);
  const chunks = Readable.from([mb(0.5), mb(0.5), Buffer.from('x')]);
  assert.equal(await post('/body', chunks), 413);
  const session = await edge.h2();
  const long = await h2request(session, { ':method': 'POST', ':path': '/body' }, mb(1.5));
  assert.equal(long.status, 413);
});
