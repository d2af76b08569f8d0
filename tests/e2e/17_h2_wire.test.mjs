// What no HTTP/2 library sends: malformed requests are refused, floods are ended by the server, and
// others are served meanwhile.
import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, h2request, portero } from './harness.mjs';
import { block, flag, frame, frameType, H2Wire, requestFields } from './lib/h2wire.mjs';

const rssGrowthKiBMax = 16 * 1024;
const number = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

async function proxied(t) {
  const upstream = await backend(t);
  const edge = await portero(t, `sites:\n  localhost: {proxy: ${upstream.address}}\n`);
  return { upstream, edge };
}

const without = (name) => requestFields().filter(([n]) => n !== name);
const malformed = {
  'an upper-case name': requestFields('/', ['X-Upper', '1']),
  'a space in a name': requestFields('/', ['x y', '1']),
  'an empty name': requestFields('/', ['', '1']),
  'CR LF in a value': requestFields('/', ['x', 'a\r\nevil: 1']),
  'NUL in a value': requestFields('/', ['x', 'a\0']),
  'a connection field': requestFields('/', ['connection', 'close']),
  'keep-alive': requestFields('/', ['keep-alive', '1']),
  'transfer-encoding': requestFields('/', ['transfer-encoding', 'chunked']),
  'upgrade': requestFields('/', ['upgrade', 'h2c']),
  'te other than trailers': requestFields('/', ['te', 'gzip']),
  'no path': without(':path'),
  'no method': without(':method'),
  'no scheme': without(':scheme'),
  'an empty path': requestFields(''),
  'a path without a slash': requestFields('evil'),
  'a space in the path': requestFields('/a b'),
  'two paths': requestFields('/', [':path', '/b']),
  'a pseudo-field after a field': [...without(':path'), ['x', '1'], [':path', '/']],
  'an unknown pseudo-field': requestFields('/', [':evil', '1']),
  'a response pseudo-field': requestFields('/', [':status', '200']),
  'a method that is no token': [[':method', 'GET /evil'], ...without(':method')],
  'an authority with user information': [...without(':authority'), [':authority', 'a@localhost']],
  'Host that differs from the authority': requestFields('/', ['host', 'other.test']),
  'a length without a body': requestFields('/', ['content-length', '5']),
  'two lengths': requestFields('/', ['content-length', '0'], ['content-length', '5']),
  'an unasked protocol': requestFields('/', [':protocol', 'websocket']),
};

test('h2 wire: malformed requests are refused and reach no backend', async (t) => {
  const { upstream, edge } = await proxied(t);
  for (const [name, fields] of Object.entries(malformed)) {
    await t.test(name, async () => {
      upstream.requests.length = 0;
      const outcome = await (await H2Wire.connect(edge)).request(1, fields).outcome(1);
      assert.notEqual(outcome.answered, true, 'answered with 200');
      assert.equal(upstream.requests.length, 0);
    });
  }
});

// Each writes the same thing many times; the server must end the connection.
const floods = {
  'PING': () => frame(frameType.ping, 0, 0, Buffer.alloc(8)),
  'SETTINGS': () => frame(frameType.settings, 0, 0),
  'empty DATA': (i) => i === 0
    ? frame(frameType.headers, flag.endHeaders, 1, block(requestFields()))
    : frame(frameType.data, 0, 1),
  'reset streams': (i) => Buffer.concat([
    frame(frameType.headers, flag.endStream | flag.endHeaders, 2 * i + 1, block(requestFields())),
    frame(frameType.reset, 0, 2 * i + 1, number(8)),
  ]),
  'resets provoked by empty window updates': (i) => Buffer.concat([
    frame(frameType.headers, flag.endStream | flag.endHeaders, 2 * i + 1, block(requestFields())),
    frame(frameType.windowUpdate, 0, 2 * i + 1, number(0)),
  ]),
  'CONTINUATION': (i) => i === 0
    ? frame(frameType.headers, flag.endStream, 1, block(requestFields()))
    : frame(frameType.continuation, 0, 1, block([['x', 'y'.repeat(100)]])),
  'empty CONTINUATION': (i) => i === 0
    ? frame(frameType.headers, flag.endStream, 1, block(requestFields()))
    : frame(frameType.continuation, 0, 1),
};

test('h2 wire: floods are ended, in little memory', async (t) => {
  const { edge } = await proxied(t);
  const good = await edge.h2();
  for (const [name, one] of Object.entries(floods)) {
    await t.test(name, async () => {
      await h2request(good, { ':path': '/warm' });
      const before = edge.rss;
      const wire = await H2Wire.connect(edge);
      let ended = false;
      wire.outcome(-1, 60).then(() => (ended = true), () => {});
      for (let i = 0; i < 100_000 && !ended; i += 500) {
        wire.write(...Array.from({ length: 500 }, (_, j) => one(i + j)));
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (i % 10_000 === 0) assert.equal((await h2request(good, { ':path': '/' })).status, 200);
      }
      assert.ok(ended, 'the server let it go on');
      assert.ok(edge.rss - before < rssGrowthKiBMax, `grew by ${edge.rss - before} KiB`);
    });
  }
});

test('h2 wire: a head of many tiny fields is refused', async (t) => {
  const { upstream, edge } = await proxied(t);
  const many = Array.from({ length: 5_000 }, () => ['a', '']);
  const wire = await H2Wire.connect(edge);
  const bytes = block(requestFields('/', ...many)).subarray(0, 16_384);
  wire.write(frame(frameType.headers, flag.endStream | flag.endHeaders, 1, bytes));
  assert.notEqual((await wire.outcome(1)).answered, true);
  assert.equal(upstream.requests.length, 0);
});

test('h2 wire: frames out of place end the connection', async (t) => {
  const { edge } = await proxied(t);
  const cases = {
    'DATA on stream 0': frame(frameType.data, 0, 0, Buffer.from('x')),
    'DATA on an idle stream': frame(frameType.data, 0, 9, Buffer.from('x')),
    'an even stream': frame(frameType.headers, 5, 2, block(requestFields())),
    'CONTINUATION alone': frame(frameType.continuation, 4, 1, block(requestFields())),
    'a PING of 7 bytes': frame(frameType.ping, 0, 0, Buffer.alloc(7)),
    'a window that overflows': frame(frameType.windowUpdate, 0, 0, number(0x7fffffff)),
    'a broken header block': frame(frameType.headers, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff])),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await t.test(name, async () => {
      const outcome = await (await H2Wire.connect(edge)).write(bytes).outcome(-1);
      assert.ok(outcome.goaway || outcome.closed, JSON.stringify(outcome));
    });
  }
});
