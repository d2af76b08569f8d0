// Each case is a head, and what follows it on the connection. Whatever portero makes of the first
// request, the bytes after it must not reach the backend as a request of their own.
import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, portero } from './harness.mjs';

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
const chunk = `0\r\n\r\n${smuggled}`;
const post = (...fields) => ['POST / HTTP/1.1', 'Host: localhost', ...fields, '', ''].join('\r\n');
const chunked = (body) => [post('Transfer-Encoding: chunked'), body];
const refused = [400, 501];

const cases = {
  'both lengths': [post('Content-Length: 4', 'Transfer-Encoding: chunked'), chunk],
  'both lengths, the other order': [post('Transfer-Encoding: chunked', 'Content-Length: 4'), chunk],
  'two lengths': [post('Content-Length: 0', `Content-Length: ${smuggled.length}`), smuggled],
  'a list of lengths': [post(`Content-Length: 0, ${smuggled.length}`), smuggled],
  'a signed length': [post('Content-Length: +0'), smuggled],
  'a hexadecimal length': [post('Content-Length: 0x0'), smuggled],
  'an empty length': [post('Content-Length: '), smuggled],
  'a length with a space': [post('Content-Length: 0 0'), smuggled],
  'an overflowing length': [post('Content-Length: 18446744073709551616'), smuggled],
  'a negative length': [post('Content-Length: -1'), smuggled],
  'space before the colon': [post('Transfer-Encoding : chunked'), chunk],
  'tab before the colon': [post('Transfer-Encoding\t: chunked'), chunk],
  'vertical tab in the coding': [post('Transfer-Encoding: \x0bchunked'), chunk],
  'chunked twice': [post('Transfer-Encoding: chunked, chunked'), chunk],
  'chunked in two fields': [post('Transfer-Encoding: chunked', 'Transfer-Encoding: x'), chunk],
  'chunked not last': [post('Transfer-Encoding: chunked, identity'), chunk],
  'an unknown coding': [post('Transfer-Encoding: xchunked'), chunk],
  'identity': [post('Transfer-Encoding: identity', 'Content-Length: 0'), smuggled],
  'quoted chunked': [post('Transfer-Encoding: "chunked"'), chunk],
  'an empty coding': [post('Transfer-Encoding:', 'Content-Length: 0'), smuggled],
  'a coding in HTTP/1.0': [post('Transfer-Encoding: chunked').replace('1.1', '1.0'), chunk],
  'a folded field': [post('X: a', ' Transfer-Encoding: chunked'), chunk],
  'a folded coding': [post('Transfer-Encoding:', ' chunked'), chunk],
  'bare LF in the head': [post('X: a\nTransfer-Encoding: chunked'), chunk],
  'bare CR in a value': [post('X: a\rTransfer-Encoding: chunked'), chunk],
  'NUL in a value': [post('X: a\0b'), smuggled],
  'an empty field name': [post(': x', 'Content-Length: 0'), smuggled],
  'a space in a field name': [post('Content Length: 0'), smuggled],
  'a space before the first field': [`POST / HTTP/1.1\r\n Host: localhost\r\n\r\n`, smuggled],
  'a space in the target': ['GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n', smuggled],
  'a control byte in the target': ['GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n', smuggled],
  'a target without a slash': ['GET a HTTP/1.1\r\nHost: localhost\r\n\r\n', smuggled],
  'a broken version': ['GET / HTTP/1.1x\r\nHost: localhost\r\n\r\n', smuggled, [400, 505]],
  'an unknown version': ['GET / HTTP/3.0\r\nHost: localhost\r\n\r\n', smuggled, [400, 505]],
  'a chunk size with 0x': chunked(`0x0\r\n\r\n${smuggled}`),
  'a chunk size with a sign': chunked(`+0\r\n\r\n${smuggled}`),
  'a chunk size with a space': chunked(`0 \r\n\r\n${smuggled}`),
  'a chunk size that overflows': chunked(`10000000000000000\r\n${smuggled}`),
  'a chunk line with bare LF': chunked(`0\n\r\n${smuggled}`),
  'a chunk extension with bare LF': chunked(`1;a\nb\r\nx\r\n${chunk}`),
  'chunk data without its end': chunked(`1\r\nxx\r\n${chunk}`),
  'chunk data ended by LF': chunked(`1\r\nx\n${chunk}`),
  'a chunk without a size': chunked(`\r\n\r\n${smuggled}`),
  'a trailer with bare LF': chunked(`0\r\nX: a\n\r\n${smuggled}`),
};

test('smuggling: ambiguous requests are refused and the connection ends', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `sites:\n  http://localhost: {proxy: ${upstream.address}}\n`);
  for (const [name, [head, rest, allowed = refused]] of Object.entries(cases)) {
    await t.test(name, async () => {
      upstream.requests.length = 0;
      const wire = await edge.wire();
      const { status } = await wire.write(head + rest).answer();
      assert.ok(allowed.includes(status), `answered ${status}`);
      assert.equal((await wire.rest()).toString('latin1'), '', 'nothing may follow the refusal');
      assert.ok(!upstream.requests.some(({ url }) => url === '/smuggled'), 'smuggled');
    });
  }
});

test('smuggling: what is forwarded is written anew', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `sites:\n  http://localhost: {proxy: ${upstream.address}}\n`);
  const send = async (bytes) => JSON.parse((await (await edge.wire()).write(bytes).answer()).text);

  await t.test('a body is framed once, whatever the method', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH']) {
      const wire = await edge.wire();
      const body = `X: ${smuggled}`;
      wire.write(post(`Content-Length: ${body.length}`).replace('POST', method) + body);
      assert.equal((await wire.answer(method)).status, 200, method);
      assert.ok(!upstream.requests.some(({ url }) => url === '/smuggled'), method);
    }
  });
  await t.test('Connection cannot name framing, Host or forwarded fields away', async () => {
    const named = 'Connection: keep-alive, Host, Content-Length, X-Forwarded-For, X-Drop';
    const { headers, body } = await send(post(named, 'X-Drop: 1', 'Content-Length: 2') + 'ok');
    assert.equal(body, 'ok');
    assert.equal(headers.host, 'localhost');
    assert.equal(headers['x-drop'], undefined);
    assert.ok(headers['x-forwarded-for']);
  });
  await t.test('Upgrade: h2c and HTTP2-Settings go no further', async () => {
    const { headers } = await send(post('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c',
                                        'HTTP2-Settings: AAMAAABkAAQAAP__', 'Content-Length: 0'));
    assert.equal(headers.upgrade, undefined);
    assert.equal(headers['http2-settings'], undefined);
  });
});
