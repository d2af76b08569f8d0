// `files:` with nginx as the judge: the same requests to both, the same status, fields and bytes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  mkdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { h2request, pause, portero, temporaryFolder, waitFor } from './harness.mjs';
import { nginx } from './lib/nginx.mjs';

const big = randomBytes(3_000_000);

function folder() {
  const root = path.join(temporaryFolder(), 'site');
  const files = {
    'index.html': '<h1>start</h1>', 'css/app.css': 'p { color: red }', 'big.bin': big,
    'docs/index.html': 'docs', 'docs/a b.txt': 'spaces', 'plain': 'no ending', 'empty.txt': '',
    '.env': 'secret', 'assets/app.1a2b.js': 'js', 'assets/app.1a2b.js.br': 'packed',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
    utimesSync(path.join(root, name), 1_700_000_000, 1_700_000_000);
  }
  writeFileSync(path.join(root, '../outside.txt'), 'outside');
  symlinkSync('../outside.txt', path.join(root, 'leak.txt'));
  symlinkSync('css', path.join(root, 'styles'));
  return root;
}

const etagOf = async (get, target) => (await get(target)).headers.etag;

test('files: what nginx answers', async (t) => {
  const root = folder();
  const judge = await nginx(t, root, 'index index.html;');
  const edge = await portero(t, `sites: {localhost: {root: ${root}, files: true}}\n`);
  const get = (target, options) => edge.get(target, options);
  const date = 'Tue, 14 Nov 2023 22:13:20 GMT';
  const cases = [
    ['/'], ['/css/app.css'], ['/css/app.css?v=1'], ['/docs/'], ['/docs/a%20b.txt'], ['/plain'],
    ['/empty.txt'], ['/none'], ['/docs/none/'], ['/css/app.css/'], ['/styles/app.css'],
    ['/big.bin'], ['/docs//a%20b.txt'], ['/css/../docs/'],
    ...['bytes=0-0', 'bytes=5-', 'bytes=-7', 'bytes=0-9999999', 'bytes=3000000-', 'bytes=9-2',
      'bytes=x', 'bytes=1000-2000', 'bytes=2999999-'].map((Range) => ['/big.bin', { Range }]),
    ['/big.bin', { Range: 'bytes=0-9', 'If-Range': date }],
    ['/big.bin', { Range: 'bytes=0-9', 'If-Range': 'Mon, 13 Nov 2023 22:13:20 GMT' }],
    ['/css/app.css', { 'If-Modified-Since': date }],
    ['/css/app.css', { 'If-Modified-Since': 'Mon, 13 Nov 2023 22:13:20 GMT' }],
    ['/css/app.css', { 'If-None-Match': '"other"' }],
    ['/css/app.css', { 'If-Unmodified-Since': 'Mon, 13 Nov 2023 22:13:20 GMT' }],
    ['/css/app.css', { 'If-Match': '"other"' }],
  ];
  for (const [target, headers = {}] of cases) {
    // Ranges are for GET alone (RFC 9110 §14.2); nginx has them for HEAD too.
    for (const method of headers.Range ? ['GET'] : ['GET', 'HEAD']) {
      const [ours, theirs] = await Promise.all(
        [get, judge].map((ask) => ask(target, { method, headers })));
      const what = `${method} ${target} ${JSON.stringify(headers)}`;
      assert.equal(ours.status, theirs.status, what);
      if (theirs.status >= 400) continue;
      const type = (answer) => answer.headers['content-type']?.split(';')[0];
      if (target !== '/plain') assert.equal(type(ours), type(theirs), what);
      for (const name of ['content-length', 'content-range', 'last-modified']) {
        assert.equal(ours.headers[name], theirs.headers[name], `${what} ${name}`);
      }
      assert.ok(ours.body.equals(theirs.body), what);
    }
  }
  for (const ask of [get, judge]) {
    const etag = await etagOf(ask, '/css/app.css');
    const headers = { 'If-None-Match': etag };
    assert.equal((await ask('/css/app.css', { headers })).status, 304);
    const part = { Range: 'bytes=1-2', 'If-Range': etag };
    assert.equal((await ask('/css/app.css', { headers: part })).text ?? ' {', ' {');
    const several = await ask('/css/app.css', { headers: { Range: 'bytes=0-1,4-5' } });
    assert.equal(several.status, 206);
    assert.match(several.headers['content-type'], /^multipart\/byteranges; boundary=/);
    const boundary = several.headers['content-type'].split('=')[1];
    assert.equal(several.body.toString().split(`--${boundary}`).length, 4);
    assert.equal(Number(several.headers['content-length']), several.body.length);
  }
  const slash = await get('/docs?x=1');
  assert.deepEqual([slash.status, slash.headers.location], [308, '/docs/?x=1']);
  assert.equal((await get('/css/app.css', { method: 'POST' })).status, 405);
});

test('files: what stays inside, what is packed, what is cached, what falls back', async (t) => {
  const root = folder();
  const edge = await portero(t, `
sites:
  localhost:
    root: ${root}
    files:
      fallback: /index.html
      hide: ["*.bin"]
      cache: {"/assets/*": immutable, "*.html": no-cache}
  any.test: {root: ${root}, files: {symlinks: any}}
  strict.test: {root: ${root}, files: true}
`);
  const get = async (target, options) => {
    const { status, text } = await edge.get(target, options);
    return `${status} ${text}`;
  };
  assert.equal(await get('/users/7'), '200 <h1>start</h1>');
  assert.match(await get('/big.bin'), /^404 /);
  for (const host of ['localhost', 'strict.test']) {
    for (const target of ['/.env', '/%2eenv', '/css/.git/config']) {
      assert.match(await get(target, { host }), /^404 /, target);
    }
  }
  for (const target of ['/leak.txt', '/..%2foutside.txt', '/%2e%2e/outside.txt', '/css/../../x']) {
    assert.match(await get(target, { host: 'strict.test' }), /^40[04] /, target);
  }
  for (const target of ['/css/app.css%00.txt', '/%0a', '/%zz']) {
    assert.match(await get(target), /^400 /, target);
  }
  assert.equal(await get('/leak.txt', { host: 'any.test' }), '200 outside');
  const packed = await edge.get('/assets/app.1a2b.js', { headers: { 'Accept-Encoding': 'br' } });
  assert.deepEqual([packed.text, packed.headers['content-encoding']], ['packed', 'br']);
  assert.match(packed.headers['cache-control'], /immutable/);
  // It is the file that is sent which decides, not the path that was asked for.
  for (const target of ['/', '/users/7', '/assets/not-yet-deployed.js']) {
    assert.equal((await edge.get(target)).headers['cache-control'], 'no-cache', target);
  }
  const plain = await edge.get('/assets/app.1a2b.js');
  assert.deepEqual([plain.text, plain.headers.vary], ['js', 'Accept-Encoding']);
  const session = await edge.h2();
  const whole = await h2request(session, { ':path': '/big.bin', ':authority': 'any.test' });
  assert.ok(whole.body.equals(big));
  // A file that changes is seen within a second or so.
  writeFileSync(path.join(root, 'index.html'), 'new');
  await pause(1100);
  assert.equal(await get('/'), '200 new');
});

test('files: large ones over plain HTTP, whole, in ranges, slowly, cut', async (t) => {
  const root = folder();
  const log = path.join(root, '../access.log');
  const edge = await portero(t, `
threads: 1
timeouts: {write: 1s}
sites: {"http://localhost": {root: ${root}, files: true, log: ${log}}}
`);
  const wire = await edge.wire();
  const ask = (target, fields = '', method = 'GET') => {
    wire.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`);
    return wire.answer(method);
  };
  // All on one connection: what is passed by the kernel is counted like what is written.
  assert.ok((await ask('/big.bin')).body.equals(big));
  assert.equal((await ask('/big.bin', '', 'HEAD')).headers['content-length'], '3000000');
  const part = await ask('/big.bin', 'Range: bytes=100-2000099\r\n');
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(big.subarray(100, 2_000_100)));
  const parts = await ask('/big.bin', 'Range: bytes=7-1000006,2000000-2999999\r\n');
  assert.ok(parts.body.includes(big.subarray(7, 1_000_007)));
  assert.ok(parts.body.includes(big.subarray(2_000_000)));
  assert.equal((await ask('/plain')).text, 'no ending');
  await waitFor('the access log', () => readFileSync(log, 'utf8').split('\n').length === 6);
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const sizes = lines.map((line) => JSON.parse(line).bytes_sent);
  assert.deepEqual(sizes, [3_000_000, 0, 2_000_000, parts.body.length, 9]);

  // Larger than what the kernel buffers, so that the server must wait for the client.
  const huge = path.join(root, 'huge.bin');
  writeFileSync(huge, '');
  truncateSync(huge, 8_000_000);
  const slow = await edge.wire();
  slow.socket.pause();
  slow.write('GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await pause(300);
  assert.equal((await ask('/plain')).text, 'no ending');
  slow.socket.resume();
  const whole = await slow.answer();
  assert.ok(whole.body.equals(Buffer.alloc(8_000_000)));

  // One that takes nothing for longer than timeouts.write.
  const stuck = await edge.wire();
  stuck.socket.pause();
  stuck.write('GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await pause(2000);
  stuck.socket.resume();
  await assert.rejects(stuck.answer(), /closed while waiting/);

  // A file that becomes shorter meanwhile must not look complete, nor must it hold up others.
  const cut = await edge.wire();
  cut.socket.pause();
  cut.write('GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await pause(300);
  truncateSync(huge, 1000);
  cut.socket.resume();
  await assert.rejects(cut.answer(), /closed while waiting for 8000000 bytes/);
  assert.equal((await ask('/plain')).text, 'no ending');

  // A client that leaves in the middle.
  truncateSync(huge, 8_000_000);
  await pause(1100);
  const gone = await edge.wire();
  gone.write('GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await gone.head();
  gone.close();
  assert.equal((await ask('/plain')).text, 'no ending');
});
