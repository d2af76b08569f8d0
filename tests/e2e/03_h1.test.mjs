import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, pause, portero, within } from './harness.mjs';

const request = (line, fields = '') => `${line} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

test('h1: a connection to a proxied site', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `
timeouts: {header: 1s}
sites:
  http://localhost:
    routes:
      - match: /fixed
        respond: fixed
      - proxy: ${upstream.address}
`);
  let wire;
  t.beforeEach(async () => (wire = await edge.wire()));

  await t.test('keeps alive', async () => {
    for (let i = 0; i < 3; i++) {
      assert.equal((await wire.write(request(`GET /${i}`)).answer()).status, 200);
    }
  });
  await t.test('answers pipelined requests in order', async () => {
    const lines = ['/a', '/fixed', '/b', '/c', '/fixed'];
    wire.write(lines.map((target) => request(`GET ${target}`)).join(''));
    const texts = [];
    for (const target of lines) {
      const { text } = await wire.answer();
      texts.push(target === '/fixed' ? text : JSON.parse(text).url);
    }
    assert.deepEqual(texts, ['/a', 'fixed', '/b', '/c', 'fixed']);
  });
  await t.test('reads a request that comes byte by byte', async () => {
    for (const byte of request('POST /slow', 'Content-Length: 3\r\n') + 'abc') {
      wire.write(byte);
      await pause(1);
    }
    assert.equal(JSON.parse((await wire.answer()).text).body, 'abc');
  });
  await t.test('reads chunks, and keeps trailers apart from the fields', async () => {
    wire.write(request('POST /', 'Transfer-Encoding: chunked\r\nTrailer: X-End\r\n'));
    wire.write('3;ext="x"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-End: 1\r\nHost: b\r\n\r\n');
    const { body, headers } = JSON.parse((await wire.answer()).text);
    assert.equal(body, 'abc0123456789abcdef');
    assert.equal(headers['x-end'], undefined);
    assert.equal(headers.host, 'localhost');
    assert.equal((await wire.write(request('GET /next')).answer()).status, 200);
  });
  await t.test('answers Expect: 100-continue with 100, then the answer', async () => {
    wire.write(request('POST /', 'Expect: 100-continue\r\nContent-Length: 2\r\n'));
    assert.equal((await wire.head()).status, 100);
    assert.equal(JSON.parse((await wire.write('ok').answer()).text).body, 'ok');
  });
  await t.test('refuses any other expectation with 417', async () => {
    wire.write(request('POST /', 'Expect: 200-maybe\r\nContent-Length: 2\r\n'));
    assert.equal((await wire.answer()).status, 417);
  });
  await t.test('sends no body for HEAD and goes on', async () => {
    for (const target of ['/fixed', '/proxied']) {
      const head = await wire.write(request(`HEAD ${target}`)).answer('HEAD');
      assert.equal(head.status, 200);
    }
    assert.equal((await wire.write(request('GET /fixed')).answer()).text, 'fixed');
  });
  await t.test('closes after HTTP/1.0 and after Connection: close', async () => {
    wire.write('GET /fixed HTTP/1.0\r\nHost: localhost\r\n\r\n');
    assert.match((await wire.rest()).toString(), /^HTTP\/1\.[01] 200 .*fixed$/s);
    const other = await edge.wire();
    other.write(request('GET /fixed', 'Connection: close\r\n'));
    assert.match((await other.rest()).toString(), /connection: close/i);
  });
  await t.test('takes the host of an absolute target, not the field', async () => {
    wire.write('GET http://localhost/abs HTTP/1.1\r\nHost: other.test\r\n\r\n');
    const { url, headers } = JSON.parse((await wire.answer()).text);
    assert.deepEqual([url, headers.host], ['/abs', 'localhost']);
  });
  await t.test('tolerates an empty line before a request', async () => {
    assert.equal((await wire.write('\r\n' + request('GET /fixed')).answer()).text, 'fixed');
  });
  await t.test('bounds the head: bytes, fields and target', async () => {
    const cases = [
      [request('GET /', `X: ${'x'.repeat(17_000)}\r\n`), [431]],
      [request('GET /', 'A: b\r\n'.repeat(101)), [431]],
      [request(`GET /${'x'.repeat(20_000)}`), [414, 431]],
    ];
    for (const [bytes, allowed] of cases) {
      const one = await edge.wire();
      const { status } = await one.write(bytes).answer();
      assert.ok(allowed.includes(status), `${status}: ${bytes.slice(0, 40)}`);
    }
  });
  await t.test('refuses CONNECT and TRACE', async () => {
    for (const line of ['CONNECT localhost:443', 'TRACE /']) {
      const one = await edge.wire();
      const { status } = await one.write(request(line)).answer();
      assert.ok([400, 405, 501].includes(status), `${line}: ${status}`);
    }
  });
  await t.test('ends a head that does not come in time', async () => {
    const started = Date.now();
    wire.write('GET / HTTP/1.1\r\nHo');
    const left = (await wire.rest()).toString();
    assert.ok(left === '' || left.startsWith('HTTP/1.1 408'), left);
    assert.ok(Date.now() - started > 800 && Date.now() - started < 5_000);
  });
});

test('h1: connections without progress end', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `
timeouts: {body: 1s, idle: 1s}
sites:
  http://localhost: {proxy: ${upstream.address}}
`);
  await t.test('a body that stops coming', async () => {
    const wire = await edge.wire();
    wire.write(request('POST /', 'Content-Length: 10\r\n') + 'abc');
    const left = (await within('the end', wire.rest(), 5)).toString();
    assert.ok(left === '' || /^HTTP\/1\.1 (408|50\d)/.test(left), left);
  });
  await t.test('an idle connection', async () => {
    const wire = await edge.wire();
    assert.equal((await wire.write(request('GET /')).answer()).status, 200);
    await within('the end', wire.rest(), 5);
  });
});
