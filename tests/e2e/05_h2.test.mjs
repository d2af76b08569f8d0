import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import test from 'node:test';

import { backend, h2request, portero, within } from './harness.mjs';

const site = (upstream) => `
sites:
  localhost:
    routes:
      - match: /fixed
        respond: fixed
      - proxy: ${upstream.address}
`;
const big = Buffer.alloc(4 << 20, 'x');

test('h2: a proxied site', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, site(upstream));
  const session = await edge.h2();
  const echo = async (...args) => (await h2request(session, ...args)).json;

  await t.test('is chosen by ALPN', () => assert.equal(session.alpnProtocol, 'h2'));
  await t.test('carries many streams at once', async () => {
    const targets = Array.from({ length: 300 }, (_, i) => `/${i}`);
    const answers = await Promise.all(targets.map((target) => echo({ ':path': target })));
    assert.deepEqual(answers.map(({ url }) => url), targets);
  });
  await t.test('uploads, with and without a length', async () => {
    const head = { ':method': 'POST', ':path': '/' };
    assert.equal((await echo(head, big)).length, big.length);
    assert.equal((await echo({ ...head, 'content-length': big.length }, big)).length, big.length);
  });
  await t.test('joins cookie crumbs for the backend', async () => {
    const { headers } = await echo({ ':path': '/', cookie: ['a=1', 'b=2'] });
    assert.equal(headers.cookie, 'a=1; b=2');
  });
  await t.test('names the authority as Host', async () => {
    assert.equal((await echo({ ':path': '/' })).headers.host, 'localhost');
  });
  await t.test('answers HEAD without a body', async () => {
    const answer = await h2request(session, { ':method': 'HEAD', ':path': '/fixed' });
    assert.deepEqual([answer.status, answer.text], [200, '']);
  });
  await t.test('takes request trailers', async () => {
    const head = { ':method': 'POST', ':path': '/' };
    assert.equal((await echo(head, 'body', { 'x-end': '1' })).body, 'body');
  });
  await t.test('refuses a body that is not as long as it said, and only that stream', async () => {
    const seen = upstream.requests.length;
    const head = { ':method': 'POST', ':path': '/short', 'content-length': 10 };
    await assert.rejects(within('the refusal', h2request(session, head, 'abc').then((answer) => {
      if (answer.status >= 400) throw new Error(`status ${answer.status}`);
    })));
    assert.equal((await echo({ ':path': '/after' })).url, '/after');
    const complete = upstream.requests.slice(seen).filter((r) => r.url === '/short' && r.complete);
    assert.equal(complete.length, 0);
  });
  await t.test('refuses a head that is too large, and only that stream', async () => {
    const head = { ':path': '/', 'x-large': 'x'.repeat(40_000) };
    const { status } = await h2request(session, head).catch(() => ({ status: 431 }));
    assert.equal(status, 431);
    const again = session.closed || session.destroyed ? await edge.h2() : session;
    assert.equal((await h2request(again, { ':path': '/fixed' })).text, 'fixed');
  });
});

test('h2: a stream that is not read holds up only itself', async (t) => {
  const upstream = await backend(t, (request, response) => response.end(big));
  const edge = await portero(t, site(upstream));
  const session = await edge.h2();
  const stalled = session.request({ ':path': '/', ':authority': 'localhost' });
  await once(stalled, 'response');
  stalled.pause();
  for (let i = 0; i < 20; i++) {
    assert.equal((await h2request(session, { ':path': '/fixed' })).text, 'fixed');
  }
  stalled.resume();
  let length = 0;
  stalled.on('data', (data) => (length += data.length));
  await once(stalled, 'end');
  assert.equal(length, big.length);
});

test('h2: trailers of the backend reach the client', async (t) => {
  const upstream = await backend(t, (request, response) => {
    response.writeHead(200, { Trailer: 'X-Checksum' });
    response.write('body');
    response.addTrailers({ 'X-Checksum': 'abc' });
    response.end();
  });
  const edge = await portero(t, site(upstream));
  const answer = await h2request(await edge.h2(), { ':path': '/' });
  assert.equal(answer.text, 'body');
  assert.equal(answer.trailers['x-checksum'], 'abc');
});

test('h2: a client that resets streams by the hundred is sent away', async (t) => {
  const upstream = await backend(t, () => {});
  const edge = await portero(t, site(upstream));
  const session = await edge.h2();
  const goaway = once(session, 'goaway');
  for (let i = 0; i < 2_000 && !session.closed && !session.destroyed; i++) {
    const stream = session.request({ ':path': '/', ':authority': 'localhost' });
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_CANCEL);
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  const [code] = await within('GOAWAY', goaway);
  assert.equal(code, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal((await h2request(await edge.h2(), { ':path': '/fixed' })).text, 'fixed');
});
